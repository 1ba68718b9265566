#include "oracles/compare/reproducer_writer.h"

#include <inttypes.h>

#include "oracles/said.h"

/* Beyond this, checking each birth against every object takes its time; so does filling this much.
 */
#define LONG_OPS    10000
#define LARGE_BYTES (UINT64_C(1) << 24)

enum { VARIANTS = 40, SECONDS = 5, LONG_SECONDS = 60, RANDOM_SECONDS = 30 };

static bool is_hang(const struct reproducer_writer *w)
{
    return w->r->violation->relation == ASSAY_RELATION_HANG;
}

static bool is_misuse(const struct reproducer_writer *w)
{
    return w->r->violation->property == ASSAY_PROPERTY_S01 && w->misuse;
}

static bool is_long(const struct reproducer_writer *w)
{
    uint64_t sum = 0, calls = w->r->count, bytes;
    for (size_t i = 0; i < w->r->count && sum < LARGE_BYTES; i++) {
        const struct assay_event *op = &w->r->ops[i];
        calls += op->kind == ASSAY_OP_TURNOVER ? op->arg : 0;
        if (assay_event_bears(op) && !assay_event_refused(op) && assay_event_bytes(op, &bytes))
            sum += bytes;
    }
    return calls * (w->passes ? w->passes : 1) > LONG_OPS || sum >= LARGE_BYTES;
}

static void write_run(const struct reproducer_writer *w, size_t parts)
{
    reproducer_line(w, "static void run(void)\n"
                       "{");
    if (w->passes)
        fprintf(w->out, "    for (unsigned long pass = 1; pass <= %zu; pass++) {\n", w->passes);
    for (size_t i = 0; i < parts; i++)
        fprintf(w->out, "    part_%zu();\n", i);
    if (w->passes)
        reproducer_line(w, "    if ((pass & (pass - 1)) == 0)\n"
                           "        op_measure(pass);\n"
                           "    }");
    if (reproducer_checks(w, CHECK_CONTENT))
        reproducer_line(w, "    check_all();");
    /* seen where the program ends, which is where the executor frees what is left */
    if ((w->r->violation->event.kind == ASSAY_OP_NONE || reproducer_checks(w, CHECK_SAID)) &&
        !w->turns && w->used[ASSAY_OP_MALLOC])
        reproducer_line(w, "    for (unsigned k = 1; k <= HIGHEST; k++)\n"
                           "        if (objects[k].live)\n"
                           "            free(objects[k].at);");
    if (is_misuse(w))
        reproducer_line(w, "    if (misuse)\n"
                           "        show(\"a double free is accepted without a word\", 0, 0);");
    reproducer_line(w, "}\n");
}

/* Whether it ends may hang on what stands behind a mapping. */
static bool ends_beyond(const struct reproducer_writer *w)
{
    return w->r->violation->relation == ASSAY_RELATION_CRASH && !w->turns;
}

/* So many variants keep objects of one size, if that is not too large. */
enum { ALIKE_VARIANTS = 8, ALIKE_MOST = 1 << 20 };

static void write_surround(const struct reproducer_writer *w)
{
    const struct assay_event *last = &w->r->ops[w->r->count - 1];
    uint64_t bytes;
    bool alike = assay_event_bears(last) && assay_event_bytes(last, &bytes) && bytes <= ALIKE_MOST;
    reproducer_line(
        w,
        "/* Which neighbours an object has depends on the process as well: variant 0 is the bare\n"
        " * program, in the others a few objects are kept before it. */\n"
        "static void surround(unsigned variant)\n"
        "{\n"
        "    static const size_t sizes[] = {24, 4000, 300000, 100, 1 << 20, 40, 17000, 600};\n"
        "    static void *volatile kept;");
    if (alike)
        fprintf(
            w->out,
            "    if (variant < %d) {\n"
            "        for (unsigned i = 0; i < variant; i++) /* of the size that it is about */\n"
            "            kept = call_malloc(%" PRIu64 ");\n"
            "        return;\n"
            "    }\n",
            ALIKE_VARIANTS, bytes);
    if (ends_beyond(w))
        reproducer_line(
            w, "    /* no gap is left above a new mapping, and nothing that is readable */\n"
               "    for (unsigned i = 0; i < 256 && variant % 2; i++)\n"
               "        mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);");
    reproducer_line(
        w,
        "    for (unsigned i = 0; i < variant % 13; i++)\n"
        "        kept = call_malloc(sizes[(variant * 5 + i * (variant % 3 + 1)) % 8] + variant);\n"
        "    (void)kept;\n"
        "}\n");
}

/* What the child's end by exit code or signal says. */
static void write_verdict(const struct reproducer_writer *w)
{
    const struct assay_violation *v = w->r->violation;
    bool corruption = assay_property_info(v->property)->severity == ASSAY_SEVERITY_CORRUPTION;
    bool by_code = corruption || v->relation == ASSAY_RELATION_ABORT;
    fprintf(w->out,
            "    if (WIFEXITED(status))\n"
            "        return died(\"%sthe allocator ended the process by exit code\",\n"
            "                    WEXITSTATUS(status), %d);\n"
            "    int number = WTERMSIG(status), late = number == SIGALRM || number == SIGPROF;\n",
            by_code ? "bug: " : "", by_code ? 1 : 2);
    bool stops =
        v->property == ASSAY_PROPERTY_C26 || reproducer_stops(v) || is_hang(w) ||
        v->relation == ASSAY_RELATION_CRASH || v->relation == ASSAY_RELATION_ABORT ||
        (v->property == ASSAY_PROPERTY_C33 && !reproducer_checks(w, CHECK_LAST | CHECK_LAST_ERRNO));
    if (stops && !is_misuse(w)) /* what hung may die as well: of damage, that is chance */
        reproducer_line(
            w, is_hang(w) ? "    return died(late ? \"bug: a legal program hangs until signal\"\n"
                            "                     : \"bug: a legal program that hung dies of "
                            "signal\",\n"
                            "                number, 1);"
                          : "    if (!late)\n"
                            "        return died(\"bug: a legal program dies of signal\", number, "
                            "1);");
    else if (is_misuse(w) && is_hang(w))
        reproducer_line(w, "    if (late)\n"
                           "        return died(\"bug: a double free hangs until signal\", number, "
                           "1);\n"
                           "    return 0; /* detected */");
    else if (is_misuse(w))
        reproducer_line(w, "    if (!late)\n"
                           "        return 0; /* detected */");
    else if (corruption)
        reproducer_line(w, "    if (!late)\n"
                           "        return died(\"bug: the damaged heap ends in signal\", number, "
                           "1);");
    else
        reproducer_line(w, "    if (!late)\n"
                           "        return died(\"not this bug: died of signal\", number, 2);");
    if (!is_hang(w)) /* else it is told */
        reproducer_line(
            w, "    return died(\"not decided: it took too long, until signal\", number, 2);");
}

/* What it writes to standard error goes to a file without a name, and is looked at in the end. */
static void write_said(const struct reproducer_writer *w)
{
    reproducer_line(w, "static void look_at_said(int file)\n"
                       "{\n"
                       "    static char text[1 << 20];\n"
                       "    static const char *const words[] = {");
    for (size_t i = 0; assay_said_word(i); i++)
        fprintf(w->out, "        \"%s\",\n", assay_said_word(i));
    reproducer_line(w,
                    "    };\n"
                    "    ssize_t n = pread(file, text, sizeof text - 1, 0);\n"
                    "    for (unsigned i = 0; i < sizeof words / sizeof *words && n > 0; i++)\n"
                    "        if (strcasestr(text, words[i]))\n"
                    "            show(\"a legal program makes it write a report of corruption\", "
                    "0, 0);\n"
                    "}\n");
}

static void write_attempt(const struct reproducer_writer *w)
{
    bool brief = is_hang(w) && !is_long(w) && !w->turns; /* loops take their time */
    reproducer_line(w, "static int attempt(unsigned variant)\n"
                       "{\n"
                       "    int status = 0;\n"
                       "    pid_t child = fork();\n"
                       "    if (child == 0) {");
    fprintf(w->out, "        alarm(%d); /* a hang ends in SIGALRM */\n",
            (is_long(w) && !is_hang(w)) || w->r->count > LONG_OPS ? LONG_SECONDS : SECONDS);
    if (brief)
        reproducer_line(w, "        /* or, where it spins, in SIGPROF */\n"
                           "        struct itimerval spins = {{0, 0}, {0, 300000}};\n"
                           "        setitimer(ITIMER_PROF, &spins, NULL);");
    bool said = reproducer_checks(w, CHECK_SAID);
    reproducer_line(w, "        look_up();");
    if (said)
        reproducer_line(w, "        int file = memfd_create(\"said\", 0);\n"
                           "        dup2(file, 2);");
    reproducer_line(w, "        surround(variant);\n"
                       "        run();");
    if (said)
        reproducer_line(w, "        look_at_said(file);");
    reproducer_line(w, "        _exit(FINISHED);\n"
                       "    }\n"
                       "    if (child < 0 || waitpid(child, &status, 0) != child)\n"
                       "        return 2;\n"
                       "    if (WIFEXITED(status) && WEXITSTATUS(status) == FINISHED)\n"
                       "        return 0;\n"
                       "    if (WIFEXITED(status) && WEXITSTATUS(status) == SEEN)\n"
                       "        return 1;");
    write_verdict(w);
    reproducer_line(w, "}\n");
}

/* Where it shows in some processes only, or in none whose addresses are those of the others, each
 * attempt is a process that was exec'd: what a child of fork drew at random is what its parent
 * drew. */
static void write_fresh(const struct reproducer_writer *w, bool twice)
{
    reproducer_line(w, "static int in_new_process(char *name, unsigned variant)\n"
                       "{\n"
                       "    static char number[16];");
    reproducer_line(w, twice ? "    static char file[16];\n"
                               "    char *const words[] = {name, number, file, NULL};\n"
                               "    snprintf(file, sizeof file, \"%d\", places_file);"
                             : "    char *const words[] = {name, number, NULL};");
    reproducer_line(w, "    int status = 0;\n"
                       "    snprintf(number, sizeof number, \"%u\", variant);\n"
                       "    pid_t child = fork();\n"
                       "    if (child == 0) {\n"
                       "        execv(\"/proc/self/exe\", words);\n"
                       "        _exit(2);\n"
                       "    }\n"
                       "    if (child < 0 || waitpid(child, &status, 0) != child)\n"
                       "        return 2;\n"
                       "    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;\n"
                       "}\n");
}

/* Two processes that were exec'd, so that what is drawn when the allocator is loaded is drawn
 * twice; each leaves its places in a file that has no name. */
static void write_places(const struct reproducer_writer *w)
{
    reproducer_line(
        w, "static int places_file = -1;\n"
           "static int map_places(int file)\n"
           "{\n"
           "    size_t bytes = (HIGHEST + 1) * sizeof *places;\n"
           "    if (places)\n"
           "        return 1;\n"
           "    places_file = file < 0 ? memfd_create(\"places\", 0) : file;\n"
           "    if (places_file < 0 || (file < 0 && ftruncate(places_file, (off_t)bytes)))\n"
           "        return 0;\n"
           "    void *shared =\n"
           "        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, places_file, 0);\n"
           "    places = shared == MAP_FAILED ? NULL : shared;\n"
           "    return places != NULL;\n"
           "}\n");
}

static void write_twice(const struct reproducer_writer *w)
{
    reproducer_line(w, "static int twice(char *name, unsigned variant)\n"
                       "{\n"
                       "    static uintptr_t first[HIGHEST + 1];\n"
                       "    if (!map_places(-1))\n"
                       "        return 2;\n"
                       "    int answer = in_new_process(name, variant);\n"
                       "    if (answer)\n"
                       "        return answer;\n"
                       "    memcpy(first, places, sizeof first);\n"
                       "    answer = in_new_process(name, variant);\n"
                       "    if (answer || memcmp(first, places, sizeof first) == 0)\n"
                       "        return answer;\n"
                       "    return died(\"bug: the same calls are answered otherwise, variant\", "
                       "(int)variant, 1);\n"
                       "}\n");
}

void reproducer_main(const struct reproducer_writer *w, size_t parts)
{
    bool twice = reproducer_checks(w, CHECK_TWICE);
    bool random = w->r->hits < w->r->trials;
    bool once = is_misuse(w) || w->r->count > LONG_OPS,
         elsewhere = !random && !twice && !once && !is_long(w);
    write_run(w, parts);
    write_surround(w);
    if (reproducer_checks(w, CHECK_SAID))
        write_said(w);
    write_attempt(w);
    if (twice)
        write_places(w);
    if (random || twice || elsewhere)
        write_fresh(w, twice);
    if (twice)
        write_twice(w);
    fprintf(w->out, "enum { VARIANTS = %u };\n\n", random ? w->r->attempts : once ? 1 : VARIANTS);
    reproducer_line(w, "int main(int argc, char **argv)\n"
                       "{");
    if (elsewhere)
        reproducer_line(w, "    if (argc == 2)\n"
                           "        return attempt((unsigned)atoi(argv[1]));");
    reproducer_line(
        w, "    /* as where it was found: no random addresses, if that is allowed here */\n"
           "    int persona = personality(0xffffffff);\n"
           "    if (argc > 0 && persona != -1 && (persona & ADDR_NO_RANDOMIZE) == 0 &&\n"
           "        personality((unsigned long)persona | ADDR_NO_RANDOMIZE) != -1)\n"
           "        execv(\"/proc/self/exe\", argv);");
    if (twice)
        reproducer_line(w, "    if (argc == 3)\n"
                           "        return map_places(atoi(argv[2])) ? "
                           "attempt((unsigned)atoi(argv[1])) : 2;");
    else if (random)
        reproducer_line(w, "    if (argc == 2)\n"
                           "        return attempt((unsigned)atoi(argv[1]));");
    fprintf(
        w->out,
        "    int answer = 0;\n"
        "    time_t start = time(NULL);\n"
        "    for (unsigned i = 0; i < VARIANTS && answer != 1 && time(NULL) - start < %d; i++) {\n"
        "        int one = %s;\n"
        "        answer = one ? one : answer;\n"
        "    }\n"
        "%s"
        "    if (answer == 0)\n"
        "        (void)died(\"it did not show; seconds:\", (int)(time(NULL) - start), 0);\n"
        "    return answer;\n"
        "}\n",
        random ? RANDOM_SECONDS : SECONDS,
        twice    ? "twice(argv[0], i % 40)"
        : random ? "in_new_process(argv[0], i % 40)"
                 : "attempt(i)",
        elsewhere
            ? "    /* at other addresses, what hangs on them */\n"
              "    if (answer == 0 && persona != -1)\n"
              "        (void)personality((unsigned long)persona & ~(unsigned "
              "long)ADDR_NO_RANDOMIZE);\n"
              "    for (unsigned i = 0; i < VARIANTS && answer == 0 && time(NULL) - start < 10; "
              "i++)\n"
              "        answer = in_new_process(argv[0], i);\n"
            : "");
}

/* Programs whose threads run side by side: a function for each thread's part of a pass, made again
 * and again without anything between the calls of two threads but what the program itself waits
 * for. */
#include <inttypes.h>
#include <stdlib.h>

#include "oracles/compare/reproducer_writer.h"

enum { THREADS_MOST = 256 };

static bool is_growth(const struct reproducer_writer *w)
{
    return w->r->violation->property == ASSAY_PROPERTY_C31 ||
           w->r->violation->property == ASSAY_PROPERTY_C29;
}

/* What is looked at, beside how the process ends. */
static bool looks_at_places(const struct reproducer_writer *w)
{
    return w->r->violation->property != ASSAY_PROPERTY_C10 && !is_growth(w);
}

static bool is_about(const struct reproducer_writer *w, enum assay_property property)
{
    return w->r->violation->property == property;
}

static bool is_part(const struct assay_event *op)
{
    return op->kind != ASSAY_OP_THREAD_START && op->kind != ASSAY_OP_THREAD_EXIT &&
           op->kind != ASSAY_OP_MEASURE && op->kind != ASSAY_OP_CHECK;
}

static bool threads_end(const struct assay_reproducer *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->ops[i].kind == ASSAY_OP_THREAD_EXIT)
            return true;
    return false;
}

static unsigned thread_of(const struct assay_event *op)
{
    return op->thread % THREADS_MOST;
}

static void write_objects(const struct reproducer_writer *w)
{
    reproducer_line(
        w,
        "/* Ops on one object follow one another, whoever makes them: its turn says how many were "
        "made. It\n"
        " * stands at a place from when its call has returned until its release begins: two that "
        "overlap\n"
        " * there overlap for certain. */\n"
        "static struct object {\n"
        "    _Atomic(unsigned char *) at;\n"
        "    _Atomic unsigned long turn;\n"
        "    size_t bytes; /* the same in every pass */\n"
        "} objects[OBJECTS + 1];\n"
        "static _Atomic int stop;\n\n"
        "/* 0: it is over */\n"
        "static __attribute__((unused)) int await(unsigned k, unsigned long turn)\n"
        "{\n"
        "    for (int i = 0; atomic_load(&objects[k].turn) != turn;) {\n"
        "        if (atomic_load(&stop))\n"
        "            return 0;\n"
        "        if (++i > 200)\n"
        "            sched_yield();\n"
        "    }\n"
        "    return 1;\n"
        "}\n\n"
        "/* stdio may allocate: only memory of our own, and write(2) */\n"
        "static __attribute__((unused)) void show(const char *what, unsigned object, unsigned "
        "long long seen)\n"
        "{\n"
        "    static _Atomic int shown;\n"
        "    static char text[160];\n"
        "    if (atomic_exchange(&shown, 1))\n"
        "        for (;;)\n"
        "            pause();\n"
        "    int n = snprintf(text, sizeof text, \"bug: %s (object %u, %#llx)\\n\", what, "
        "object, seen);\n"
        "    ssize_t written = write(1, text, (size_t)n);\n"
        "    (void)written;\n"
        "    _exit(1);\n"
        "}\n\n"
        "static unsigned char pattern(unsigned k, size_t i)\n"
        "{\n"
        "    return (unsigned char)(k * 37 + i * 11 + (i >> 8) + 1);\n"
        "}\n\n"
        "static __attribute__((unused)) void check(unsigned k, const unsigned char *p, size_t "
        "bytes)\n"
        "{");
    if (looks_at_places(w))
        reproducer_line(w, "    for (size_t i = 0; i < bytes; i++)\n"
                           "        if (p[i] != pattern(k, i))\n"
                           "            show(\"content changed\", k, i);");
    else
        reproducer_line(w, "    (void)k, (void)p, (void)bytes;");
    reproducer_line(w, "}\n");
    if (w->slack) {
        reproducer_line(w,
                        "static void fill(unsigned k, unsigned char *p, size_t from, size_t to)\n"
                        "{\n"
                        "    for (size_t i = from; i < to; i++)\n"
                        "        p[i] = pattern(k, i);\n"
                        "}\n");
        reproducer_slack(w, "unsigned k, unsigned char *p, size_t usable", "objects[k].bytes",
                         "usable", "fill(k, p, ");
    }
    reproducer_line(w, "static void born(unsigned k, unsigned char *p)\n"
                       "{\n"
                       "    size_t bytes = objects[k].bytes;\n"
                       "    atomic_store(&objects[k].at, p);");
    if (is_about(w, ASSAY_PROPERTY_C01))
        reproducer_line(w, "    if (!p && bytes)\n"
                           "        show(\"a request was refused\", k, bytes);");
    reproducer_line(w, "    if (!p)\n"
                       "        return;");
    if (is_about(w, ASSAY_PROPERTY_C02))
        reproducer_line(w, "    size_t alignment = bytes < 16 ? 1 : 16;\n"
                           "    while (2 * alignment <= bytes && alignment < 16)\n"
                           "        alignment *= 2;\n"
                           "    if ((uintptr_t)p % alignment)\n"
                           "        show(\"an object is not aligned\", k, (uintptr_t)p);");
    if (is_about(w, ASSAY_PROPERTY_C04) && w->slack)
        reproducer_line(w, "    if (call_malloc_usable_size(p) < bytes)\n"
                           "        show(\"an object is too small\", k, "
                           "call_malloc_usable_size(p));");
    if (looks_at_places(w))
        reproducer_line(w,
                        "    for (unsigned i = 1; i <= OBJECTS; i++) {\n"
                        "        const unsigned char *other = i == k ? NULL : "
                        "atomic_load(&objects[i].at);\n"
                        "        if (other && p < other + objects[i].bytes && other < p + bytes)\n"
                        "            show(\"two live objects overlap\", k, i);\n"
                        "    }");
    reproducer_line(w, "    for (size_t i = 0; i < bytes; i++)\n"
                       "        p[i] = pattern(k, i);");
    if (w->slack)
        reproducer_line(w, "    fill_slack(k, p, call_malloc_usable_size(p));");
    reproducer_line(w, "}\n");
    reproducer_line(w, "static __attribute__((unused)) unsigned char *given_up(unsigned k)\n"
                       "{\n"
                       "    unsigned char *p = atomic_load(&objects[k].at);\n"
                       "    if (p)\n"
                       "        check(k, p, objects[k].bytes);\n"
                       "    atomic_store(&objects[k].at, NULL);\n"
                       "    return p;\n"
                       "}\n");
}

static void write_calls(const struct reproducer_writer *w)
{
    if (w->used[ASSAY_OP_MALLOC])
        reproducer_line(w, "static void op_malloc(unsigned k)\n"
                           "{\n"
                           "    born(k, call_malloc(objects[k].bytes));\n"
                           "}\n");
    if (w->used[ASSAY_OP_CALLOC]) {
        reproducer_line(w, "static void op_calloc(unsigned k)\n"
                           "{\n"
                           "    unsigned char *p = call_calloc(1, objects[k].bytes);");
        if (!is_growth(w))
            reproducer_line(w, "    for (size_t i = 0; p && i < objects[k].bytes; i++)\n"
                               "        if (p[i])\n"
                               "            show(\"calloc's memory is not zero\", k, i);");
        reproducer_line(w, "    born(k, p);\n"
                           "}\n");
    }
    if (w->used[ASSAY_OP_POSIX_MEMALIGN]) {
        reproducer_line(w, "static void op_posix_memalign(unsigned k, size_t alignment)\n"
                           "{\n"
                           "    void *p = NULL;\n"
                           "    int error = call_posix_memalign(&p, alignment, objects[k].bytes);");
        if (is_about(w, ASSAY_PROPERTY_C03))
            reproducer_line(w, "    if (!error && (uintptr_t)p % alignment)\n"
                               "        show(\"an object is not aligned\", k, (uintptr_t)p);");
        reproducer_line(w, "    born(k, error ? NULL : p);\n"
                           "}\n");
    }
    if (w->used[ASSAY_OP_REALLOC])
        reproducer_line(
            w, "static void op_realloc(unsigned k, unsigned n)\n"
               "{\n"
               "    unsigned char *old = given_up(k);\n"
               "    size_t bytes = objects[n].bytes;\n"
               "    unsigned char *p = old ? call_realloc(old, bytes) : NULL;\n"
               "    if (p)\n"
               "        check(k, p, objects[k].bytes < bytes ? objects[k].bytes : bytes);\n"
               "    if (old && !p)\n"
               "        call_free(old);\n"
               "    born(n, p);\n"
               "}\n");
    reproducer_line(w, "static __attribute__((unused)) void op_free(unsigned k)\n"
                       "{\n"
                       "    unsigned char *p = given_up(k);");
    if (is_about(w, ASSAY_PROPERTY_C19))
        reproducer_line(w, "    errno = ERANGE;");
    reproducer_line(w, "    if (p)\n"
                       "        call_free(p);");
    if (is_about(w, ASSAY_PROPERTY_C19))
        reproducer_line(w, "    if (errno != ERANGE)\n"
                           "        show(\"free changed errno\", k, (unsigned long long)errno);");
    reproducer_line(w, "}\n");
}

/* Of an object's ops: how many there are, and which one in its row this is. */
static unsigned row_of(const struct assay_reproducer *r, uint32_t object, size_t until)
{
    unsigned row = 0;
    for (size_t i = 0; i < until; i++)
        row += is_part(&r->ops[i]) && object &&
               (r->ops[i].object == object || r->ops[i].born == object);
    return row;
}

static bool crosses(const struct assay_reproducer *r, uint32_t object)
{
    int thread = -1;
    for (size_t i = 0; i < r->count; i++) {
        if (!is_part(&r->ops[i]) || (r->ops[i].object != object && r->ops[i].born != object))
            continue;
        if (thread >= 0 && (unsigned)thread != thread_of(&r->ops[i]))
            return true;
        thread = (int)thread_of(&r->ops[i]);
    }
    return false;
}

static void write_op(const struct reproducer_writer *w, size_t at)
{
    const struct assay_event *op = &w->r->ops[at];
    const uint32_t concerned[2] = {op->object, op->born};
    for (int i = 0; i < 2; i++)
        if (concerned[i] && crosses(w->r, concerned[i]))
            fprintf(w->out, "    if (!await(%" PRIu32 ", pass * %u + %u))\n        return;\n",
                    concerned[i], row_of(w->r, concerned[i], w->r->count),
                    row_of(w->r, concerned[i], at));
    switch (op->kind) {
    case ASSAY_OP_MALLOC:
    case ASSAY_OP_CALLOC:
        fprintf(w->out, "    op_%s(%" PRIu32 ");\n", assay_op_info(op->kind)->name, op->born);
        break;
    case ASSAY_OP_POSIX_MEMALIGN:
        fprintf(w->out, "    op_posix_memalign(%" PRIu32 ", %" PRIu64 ");\n", op->born, op->arg);
        break;
    case ASSAY_OP_REALLOC:
        fprintf(w->out, "    op_realloc(%" PRIu32 ", %" PRIu32 ");\n", op->object, op->born);
        break;
    case ASSAY_OP_FREE: fprintf(w->out, "    op_free(%" PRIu32 ");\n", op->object); break;
    default: break;
    }
    for (int i = 0; i < 2; i++)
        if (concerned[i] && crosses(w->r, concerned[i]))
            fprintf(w->out, "    atomic_fetch_add(&objects[%" PRIu32 "].turn, 1);\n", concerned[i]);
}

static unsigned write_parts(const struct reproducer_writer *w)
{
    unsigned parts = 0;
    for (unsigned t = 0; t < THREADS_MOST; t++) {
        bool any = false;
        for (size_t i = 0; i < w->r->count; i++) {
            if (!is_part(&w->r->ops[i]) || thread_of(&w->r->ops[i]) != t)
                continue;
            if (!any)
                fprintf(w->out,
                        "static void part_%u(unsigned long pass)\n{\n    (void)pass;\n    if "
                        "(atomic_load(&stop))\n        return;\n",
                        parts);
            any = true;
            write_op(w, i);
        }
        if (any)
            reproducer_line(w, "}\n");
        parts += any;
    }
    fprintf(w->out, "static void (*const parts[])(unsigned long) = {");
    for (unsigned t = 0; t < parts; t++)
        fprintf(w->out, "%spart_%u", t ? ", " : "", t);
    fprintf(w->out, "};\nenum { PARTS = %u };\n\n", parts);
    reproducer_line(w, "static void sizes(void)\n"
                       "{");
    for (size_t i = 0; i < w->r->count; i++) {
        uint64_t bytes = 0;
        if (assay_event_bears(&w->r->ops[i]) && w->r->ops[i].born &&
            assay_event_bytes(&w->r->ops[i], &bytes))
            fprintf(w->out, "    objects[%" PRIu32 "].bytes = %" PRIu64 ";\n", w->r->ops[i].born,
                    bytes);
    }
    reproducer_line(w, "}\n");
    return parts;
}

static void write_threads(const struct reproducer_writer *w)
{
    reproducer_line(w,
                    "/* Each thread is interrupted now and then, wherever it is, and stays there a "
                    "little: that "
                    "is what a\n"
                    " * scheduler may do at any time. */\n"
                    "static _Atomic int tids[PARTS];\n\n"
                    "static void on_interrupt(int number)\n"
                    "{\n"
                    "    static _Atomic unsigned turn;\n"
                    "    int kept = errno;\n"
                    "    unsigned n = atomic_fetch_add(&turn, 1);\n"
                    "    const struct timespec nap = {0, 1000 << n % 8};\n"
                    "    (void)number;\n"
                    "    if (n % 4 == 0)\n"
                    "        sched_yield();\n"
                    "    else\n"
                    "        nanosleep(&nap, NULL);\n"
                    "    errno = kept;\n"
                    "}\n\n"
                    "static void *interrupt(void *nothing)\n"
                    "{\n"
                    "    unsigned draw = 1;\n"
                    "    while (!atomic_load(&stop)) {\n"
                    "        draw = draw * 1103515245 + 12345;\n"
                    "        const struct timespec nap = {0, 2000 + (long)(draw >> 16) % 60000};\n"
                    "        nanosleep(&nap, NULL);\n"
                    "        int tid = atomic_load(&tids[(draw >> 8) % PARTS]);\n"
                    "        if (tid)\n"
                    "            syscall(SYS_tgkill, getpid(), tid, SIGURG);\n"
                    "    }\n"
                    "    return nothing;\n"
                    "}\n");
    if (is_growth(w))
        reproducer_line(
            w, "static pthread_barrier_t barrier;\n\n"
               "static unsigned long long resident(void)\n"
               "{\n"
               "    static char text[256];\n"
               "    int fd = open(\"/proc/self/statm\", O_RDONLY);\n"
               "    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);\n"
               "    if (n <= 0)\n"
               "        _exit(2);\n"
               "    close(fd);\n"
               "    return strtoull(strchr(text, ' '), NULL, 10) * 4096;\n"
               "}\n\n"
               "/* Nothing lives now. Growth that goes on at the pace of the passes: over the last "
               "three doublings. */\n"
               "static void measure(unsigned long passes)\n"
               "{\n"
               "    static long long after[64];\n"
               "    int k = 63 - __builtin_clzl(passes);\n"
               "    after[k] = (long long)resident();\n"
               "    if (passes < 2048)\n"
               "        return;\n"
               "    long long last = after[k] - after[k - 1], before = after[k - 1] - after[k - "
               "2];\n"
               "    long long first = after[k - 2] - after[k - 3];\n"
               "    if (first > 0 && 2 * before >= 3 * first && 2 * last >= 3 * before && last >= "
               "65536)\n"
               "        show(\"memory grows from pass to pass\", 0, (unsigned long "
               "long)after[k]);\n"
               "}\n\n"
               "static void between(unsigned part, unsigned long passes)\n"
               "{\n"
               "    if (passes & (passes - 1))\n"
               "        return;\n"
               "    pthread_barrier_wait(&barrier);\n"
               "    if (part == 0)\n"
               "        measure(passes);\n"
               "    if (part == 0)\n"
               "        over = atomic_load(&stop);\n"
               "    pthread_barrier_wait(&barrier);\n"
               "}\n");
    bool ends = threads_end(w->r);
    fprintf(w->out,
            "static void *work(void *argument)\n"
            "{\n"
            "    unsigned part = (unsigned)(uintptr_t)argument;\n"
            "    atomic_store(&tids[part], (int)syscall(SYS_gettid));\n"
            "%s"
            "    atomic_store(&tids[part], 0);\n"
            "    return NULL;\n"
            "}\n\n",
            ends           ? "    parts[part](passes_made);\n"
            : is_growth(w) ? "    for (unsigned long pass = 0; !over; between(part, ++pass))\n"
                             "        parts[part](pass);\n"
                           : "    for (unsigned long pass = 0; !atomic_load(&stop); pass++)\n"
                             "        parts[part](pass);\n");
    reproducer_line(w, ends ? "static void side_by_side(void)\n"
                              "{\n"
                              "    pthread_t threads[PARTS];\n"
                              "    for (; !atomic_load(&stop); passes_made++) {\n"
                              "        int made[PARTS] = {0};\n"
                              "        for (unsigned i = 1; i < PARTS; i++)\n"
                              "            made[i] = pthread_create(&threads[i], NULL, work, (void "
                              "*)(uintptr_t)i) == 0;\n"
                              "        work(NULL);\n"
                              "        for (unsigned i = 1; i < PARTS; i++)\n"
                              "            if (made[i])\n"
                              "                pthread_join(threads[i], NULL);\n"
                              "    }\n"
                              "}\n"
                            : "static void side_by_side(void)\n"
                              "{\n"
                              "    pthread_t threads[PARTS];\n"
                              "    for (unsigned i = 1; i < PARTS; i++)\n"
                              "        if (pthread_create(&threads[i], NULL, work, (void "
                              "*)(uintptr_t)i))\n"
                              "            _exit(2);\n"
                              "    work(NULL);\n"
                              "    for (unsigned i = 1; i < PARTS; i++)\n"
                              "        pthread_join(threads[i], NULL);\n"
                              "}\n");
}

static void write_main(const struct reproducer_writer *w)
{
    enum { SECONDS_OF_CHILD = 2, SECONDS_OF_GROWTH = 18, SECONDS_MORE = 10 };
    unsigned of_child = is_growth(w) ? SECONDS_OF_GROWTH : SECONDS_OF_CHILD;
    fprintf(w->out, "enum { SECONDS = %u, OF_CHILD = %u, HANGS = %u };\n\n", 18u, of_child,
            of_child + SECONDS_MORE);
    reproducer_line(w, "static void *end_in_time(void *nothing)\n"
                       "{\n"
                       "    const struct timespec time = {OF_CHILD, 0};\n"
                       "    nanosleep(&time, NULL);\n"
                       "    atomic_store(&stop, 1);\n"
                       "    return nothing;\n"
                       "}\n\n"
                       "static int attempt(void)\n"
                       "{\n"
                       "    int status = 0;\n"
                       "    pid_t child = fork();\n"
                       "    if (child == 0) {\n"
                       "        struct sigaction action;\n"
                       "        pthread_t first, second;\n"
                       "        alarm(HANGS); /* a hang ends in SIGALRM */\n"
                       "        look_up();\n"
                       "        sizes();\n"
                       "        memset(&action, 0, sizeof action);\n"
                       "        action.sa_handler = on_interrupt;\n"
                       "        action.sa_flags = SA_RESTART;\n"
                       "        sigaction(SIGURG, &action, NULL);");
    if (is_growth(w))
        reproducer_line(w, "        pthread_barrier_init(&barrier, NULL, PARTS);");
    reproducer_line(w, "        if (pthread_create(&first, NULL, end_in_time, NULL) ||\n"
                       "            pthread_create(&second, NULL, interrupt, NULL))\n"
                       "            _exit(2);\n"
                       "        side_by_side();");
    /* seen where the program ends, which is where the executor frees what is left */
    if (w->r->violation->event.kind == ASSAY_OP_NONE)
        reproducer_line(w, "        for (unsigned k = 1; k <= OBJECTS; k++)\n"
                           "            op_free(k);");
    reproducer_line(
        w, "        _exit(FINISHED);\n"
           "    }\n"
           "    if (child < 0 || waitpid(child, &status, 0) != child)\n"
           "        return 2;\n"
           "    if (WIFEXITED(status) && WEXITSTATUS(status) == FINISHED)\n"
           "        return 0;\n"
           "    if (WIFEXITED(status) && (WEXITSTATUS(status) == 1 || WEXITSTATUS(status) == 2))\n"
           "        return WEXITSTATUS(status);\n"
           "    if (WIFEXITED(status))\n"
           "        printf(\"bug: the allocator ended the process by exit code %d\\n\", "
           "WEXITSTATUS(status));\n"
           "    else if (WTERMSIG(status) == SIGALRM)\n"
           "        printf(\"bug: a legal program hangs\\n\");\n"
           "    else\n"
           "        printf(\"bug: a legal program dies of signal %d\\n\", WTERMSIG(status));\n"
           "    return 1;\n"
           "}\n\n"
           "int main(void)\n"
           "{\n"
           "    int answer = 0;\n"
           "    time_t start = time(NULL);\n"
           "    while (answer != 1 && time(NULL) - start < SECONDS) {\n"
           "        int one = attempt();\n"
           "        answer = one ? one : answer;\n"
           "    }\n"
           "    return answer;\n"
           "}");
}

void reproducer_races(const struct reproducer_writer *w)
{
    fprintf(w->out, "enum { OBJECTS = %" PRIu32 " };\n", w->objects);
    reproducer_pointers(w);
    write_objects(w);
    if (threads_end(w->r))
        reproducer_line(w, "static unsigned long passes_made;\n");
    if (is_growth(w))
        reproducer_line(w, "static volatile int over;\n");
    write_calls(w);
    write_parts(w);
    write_threads(w);
    reproducer_look_up(w);
    write_main(w);
}

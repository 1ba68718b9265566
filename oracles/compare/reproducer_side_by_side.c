/* The threads of a program that run side by side: how they are interrupted, how long they go on,
 * and what becomes of the process. */
#include "oracles/compare/reproducer_writer.h"

enum {
    OF_CHILD = 2,
    OF_CHILD_GROWTH = 18,
    QUICK_ONES = 17, /* of so many processes one goes on for OF_CHILD seconds */
    HANGS = 8,
    GROWTH_PASSES = 2048,
    MORE = 20,  /* until what does not end counts as a hang */
    MARGIN = 10 /* trials of ours interrupt threads otherwise than a reproducer may */
};

bool reproducer_threads_end(const struct assay_reproducer *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->ops[i].kind == ASSAY_OP_THREAD_EXIT)
            return true;
    return false;
}

/* ---- interrupts ----------------------------------------------------------------------------- */

static void write_stay(const struct reproducer_writer *w)
{
    reproducer_line(
        w, "/* A thread is interrupted now and then inside a call, and stays where it is until the "
           "others have got\n"
           " * on, or for a moment: that is what a scheduler may do at any time. */\n"
           "static _Atomic unsigned long calls; /* of all threads, begun and ended */\n"
           "static __thread volatile int inside;\n\n"
           "static unsigned draw(void)\n"
           "{\n"
           "    static _Atomic unsigned threads;\n"
           "    static __thread unsigned long long state;\n"
           "    if (!state)\n"
           "        state = (atomic_fetch_add(&threads, 1) + 1 + (unsigned)getpid()) * "
           "0x9e3779b97f4a7c15ULL | 1;\n"
           "    state ^= state << 13;\n"
           "    state ^= state >> 7;\n"
           "    state ^= state << 17;\n"
           "    return (unsigned)(state >> 20);\n"
           "}\n\n"
           "static void stay(void)\n"
           "{\n"
           "    static __thread unsigned naps = 24; /* fewer where they are in vain: others may "
           "wait for this one */\n"
           "    const struct timespec nap = {0, 20000};\n"
           "    unsigned long until = atomic_load(&calls) + (2UL << draw() % 7);\n"
           "    for (unsigned i = 0; i < 3 + naps && atomic_load(&calls) < until; i++)\n"
           "        if (i < 3)\n"
           "            sched_yield();\n"
           "        else\n"
           "            nanosleep(&nap, NULL);\n"
           "    naps = atomic_load(&calls) < until ? naps / 2 + 1 : naps < 24 ? naps + 2 : 24;\n"
           "}\n\n"
           "static void on_interrupt(int number)\n"
           "{\n"
           "    int kept = errno;\n"
           "    (void)number;\n"
           "    if (inside)\n"
           "        stay();\n"
           "    errno = kept;\n"
           "}\n");
}

/* The executor sets breakpoints (traces/runner/breakpoint.h). Steps up to an instruction come to
 * the same and need no code to be written to; they take longer. */
static void write_steps(const struct reproducer_writer *w)
{
    reproducer_line(
        w, "enum { OF_MALLOC, OF_CALLOC, OF_MEMALIGN, OF_REALLOC, OF_FREE, CALLS, SITES = 2048,\n"
           "       TRAP_FLAG = 0x100, LONGEST = 3000 };\n"
           "static int stepping, quick; /* quick: the process makes its first calls and ends */\n"
           "#if defined(__x86_64__)\n"
           "/* Some calls are made in single steps of the processor, up to one of the instructions "
           "that were seen\n"
           " * in such calls. One thread at a time does, the others hurry. */\n"
           "static _Atomic int walks;\n"
           "static __thread volatile int walker;\n"
           "static __thread volatile unsigned to_go; /* of a first call, which is made before any "
           "was seen: steps to go */\n"
           "static volatile unsigned steps;\n"
           "static volatile uintptr_t target;\n"
           "static struct {\n"
           "    uintptr_t sites[SITES], table[2 * SITES];\n"
           "    unsigned count;\n"
           "} ways[CALLS], *way;\n\n"
           "static void learn(uintptr_t at)\n"
           "{\n"
           "    unsigned slot = (unsigned)(at * 0x9e3779b97f4a7c15ULL >> 32) % (2 * SITES);\n"
           "    while (way->table[slot] && way->table[slot] != at)\n"
           "        slot = (slot + 1) % (2 * SITES);\n"
           "    if (way->table[slot] || way->count == SITES)\n"
           "        return;\n"
           "    way->table[slot] = at;\n"
           "    way->sites[way->count++] = at;\n"
           "}\n\n"
           "static void on_step(int number, siginfo_t *info, void *context)\n"
           "{\n"
           "    ucontext_t *machine = context;\n"
           "    uintptr_t at = (uintptr_t)machine->uc_mcontext.gregs[REG_RIP];\n"
           "    int kept = errno;\n"
           "    (void)number, (void)info;\n"
           "    if (to_go > 1) {\n"
           "        to_go--;\n"
           "        return;\n"
           "    }\n"
           "    if (walker && at != target && ++steps < LONGEST) {\n"
           "        learn(at);\n"
           "        return;\n"
           "    }\n"
           "    machine->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;\n"
           "    if (to_go || (walker && at == target))\n"
           "        stay();\n"
           "    to_go = 0;\n"
           "    errno = kept;\n"
           "}\n\n"
           "static inline __attribute__((always_inline)) void enter(unsigned call)\n"
           "{\n"
           "    static _Atomic unsigned first_calls;\n"
           "    static __thread int called;\n"
           "    atomic_fetch_add(&calls, 1);\n"
           "    inside = 1;\n"
           "    if (stepping && !called && atomic_fetch_add(&first_calls, 1) < 8)\n"
           "        to_go = 1 + draw() % (2U << draw() % 8);\n"
           "    called = 1;\n"
           "    if (!to_go && (!stepping || draw() % 4 || atomic_exchange(&walks, 1)))\n"
           "        return;\n"
           "    if (!to_go) {\n"
           "        walker = 1;\n"
           "        steps = 0;\n"
           "        way = &ways[call];\n"
           "        target = way->count ? way->sites[draw() % way->count] : 0;\n"
           "    }\n"
           "    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);\n"
           "}\n\n"
           "static inline __attribute__((always_inline)) void leave(void)\n"
           "{\n"
           "    if (walker || to_go)\n"
           "        __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & "
           "~(unsigned long long)TRAP_FLAG);\n"
           "    to_go = 0;\n"
           "    if (walker) {\n"
           "        walker = 0;\n"
           "        atomic_store(&walks, 0);\n"
           "    }\n"
           "    inside = 0;\n"
           "    atomic_fetch_add(&calls, 1);\n"
           "}\n\n"
           "static void begin_steps(void)\n"
           "{\n"
           "    struct sigaction action;\n"
           "    memset(&action, 0, sizeof action);\n"
           "    action.sa_sigaction = on_step;\n"
           "    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER;\n"
           "    sigaction(SIGTRAP, &action, NULL);\n"
           "}\n"
           "#else\n"
           "static void enter(unsigned call)\n"
           "{\n"
           "    (void)call;\n"
           "    atomic_fetch_add(&calls, 1);\n"
           "    inside = 1;\n"
           "}\n\n"
           "static void leave(void)\n"
           "{\n"
           "    inside = 0;\n"
           "    atomic_fetch_add(&calls, 1);\n"
           "}\n\n"
           "static void begin_steps(void)\n"
           "{\n"
           "}\n"
           "#endif\n");
}

void reproducer_interrupts(const struct reproducer_writer *w)
{
    write_stay(w);
    write_steps(w);
}

/* ---- threads -------------------------------------------------------------------------------- */

static void write_interrupter(const struct reproducer_writer *w)
{
    reproducer_line(w, "static _Atomic int tids[COPIES * PARTS];\n\n"
                       "static void *interrupt(void *nothing)\n"
                       "{\n"
                       "    while (!atomic_load(&stop)) {\n"
                       "        const struct timespec nap = {0, 2000 + (long)(draw() % 60000)};\n"
                       "        nanosleep(&nap, NULL);\n"
                       "        int tid = atomic_load(&tids[draw() % (COPIES * PARTS)]);\n"
                       "        if (tid)\n"
                       "            syscall(SYS_tgkill, getpid(), tid, SIGURG);\n"
                       "    }\n"
                       "    return nothing;\n"
                       "}\n");
}

/* Threads that go on from pass to pass wait for each other where it is looked. */
static void write_between(const struct reproducer_writer *w)
{
    reproducer_line(w, "static pthread_barrier_t barrier;\n\n"
                       "static void between(unsigned part, unsigned long passes)\n"
                       "{\n"
                       "    if (passes & (passes - 1))\n"
                       "        return;\n"
                       "    pthread_barrier_wait(&barrier);\n"
                       "    if (part == 0)\n"
                       "        grown(passes);\n"
                       "    if (part == 0)\n"
                       "        over = atomic_load(&stop);\n"
                       "    pthread_barrier_wait(&barrier);\n"
                       "}\n");
}

static void write_work(const struct reproducer_writer *w, bool ends)
{
    bool growth = reproducer_is_growth(w);
    fprintf(w->out,
            "static void *work(void *argument)\n"
            "{\n"
            "    unsigned own = (unsigned)(uintptr_t)argument, part = own %% PARTS;\n"
            "    first = own / PARTS * (OBJECTS + 1);\n"
            "    prctl(PR_SET_TIMERSLACK, 1);\n"
            "    atomic_store(&tids[own], (int)syscall(SYS_gettid));\n"
            "%s"
            "    atomic_store(&tids[own], 0);\n"
            "    return NULL;\n"
            "}\n\n",
            ends     ? "    parts[part](passes_made);\n"
            : growth ? "    for (unsigned long pass = 0; !over; between(part, ++pass))\n"
                       "        parts[part](pass);\n"
                     : "    for (unsigned long pass = 0; !atomic_load(&stop); pass++) {\n"
                       "        parts[part](pass);\n"
                       "        if (part == 0)\n"
                       "            atomic_fetch_add(&shared->passes, 1);\n"
                       "    }\n");
    if (ends)
        fprintf(w->out,
                "static void side_by_side(void)\n"
                "{\n"
                "    pthread_t threads[COPIES * PARTS];\n"
                "    while (!atomic_load(&stop)) {\n"
                "        for (unsigned i = 1; i < COPIES * PARTS; i++)\n"
                "            if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i))\n"
                "                _exit(2); /* the others would wait for it */\n"
                "        work(NULL);\n"
                "        for (unsigned i = 1; i < COPIES * PARTS; i++)\n"
                "            pthread_join(threads[i], NULL);\n"
                "        atomic_fetch_add(&shared->passes, COPIES);\n"
                "        passes_made++;\n"
                "%s"
                "    }\n"
                "}\n",
                growth ? "        if (!(passes_made & (passes_made - 1)))\n"
                         "            grown(passes_made);\n"
                       : "");
    else
        reproducer_line(w, "static void side_by_side(void)\n"
                           "{\n"
                           "    pthread_t threads[COPIES * PARTS];\n"
                           "    for (unsigned i = 1; i < COPIES * PARTS; i++)\n"
                           "        if (pthread_create(&threads[i], NULL, work, (void "
                           "*)(uintptr_t)i))\n"
                           "            _exit(2);\n"
                           "    work(NULL);\n"
                           "    for (unsigned i = 1; i < COPIES * PARTS; i++)\n"
                           "        pthread_join(threads[i], NULL);\n"
                           "}\n");
}

/* ---- processes ------------------------------------------------------------------------------ */

static void write_child(const struct reproducer_writer *w)
{
    reproducer_line(w, "/* ends it in time; a hang is where no call begins or ends any more */\n"
                       "static void *watch(void *nothing)\n"
                       "{\n"
                       "    const struct timespec nap = {0, quick ? 5000000 : 100000000};\n"
                       "    unsigned long before = 0;\n"
                       "    unsigned still = 0;\n"
                       "    for (unsigned n = 0; still < (quick ? 200 : 10) * HANGS; n++) {\n"
                       "        nanosleep(&nap, NULL);\n"
                       "        unsigned long now = atomic_load(&calls);\n"
                       "        still = now == before ? still + 1 : 0;\n"
                       "        before = now;\n"
                       "        if (quick || n >= 10 * OF_CHILD)\n"
                       "            atomic_store(&stop, 1);\n"
                       "    }\n"
                       "    show(\"a legal program hangs\", 0, 0);\n"
                       "    return nothing;\n"
                       "}\n\n"
                       "static void run(void)\n"
                       "{\n"
                       "    struct sigaction action;\n"
                       "    pthread_t watcher, interrupter;\n"
                       "    alarm(LATEST);\n"
                       "    look_up();\n"
                       "    for (unsigned i = 0; i < COPIES; i++)\n"
                       "        sizes(i * (OBJECTS + 1));\n"
                       "    memset(&action, 0, sizeof action);\n"
                       "    action.sa_handler = on_interrupt;\n"
                       "    action.sa_flags = SA_RESTART;\n"
                       "    sigaction(SIGURG, &action, NULL);\n"
                       "    if (stepping)\n"
                       "        begin_steps();");
    if (reproducer_is_growth(w) && !reproducer_threads_end(w->r))
        reproducer_line(w, "    pthread_barrier_init(&barrier, NULL, PARTS);");
    reproducer_line(w, "    if (pthread_create(&watcher, NULL, watch, NULL) ||\n"
                       "        pthread_create(&interrupter, NULL, interrupt, NULL))\n"
                       "        _exit(2);\n"
                       "    side_by_side();");
    /* seen where the program ends, which is where the executor frees what is left */
    if (w->r->violation->event.kind == ASSAY_OP_NONE)
        reproducer_line(w, "    for (unsigned k = 1; k < ALL; k++)\n"
                           "        op_free(k);");
    reproducer_line(w, "    _exit(FINISHED);\n"
                       "}\n");
}

static void write_attempt(const struct reproducer_writer *w)
{
    reproducer_line(
        w, "static int tell(void)\n"
           "{\n"
           "    ssize_t written = write(1, shared->text, strlen(shared->text));\n"
           "    (void)written;\n"
           "    return 1;\n"
           "}\n\n"
           "static int ended(const char *how, int number)\n"
           "{\n"
           "    snprintf(shared->text, sizeof shared->text, \"bug: %s %d\\n\", how, number);\n"
           "    return tell();\n"
           "}\n\n"
           "static int attempt(unsigned n)\n"
           "{\n"
           "    static int no_steps;\n"
           "    int status = 0;\n"
           "    stepping = !no_steps && n % 4 != 3;\n"
           "    quick = n % QUICK_ONES != 0;\n"
           "    pid_t child = fork();\n"
           "    if (child == 0)\n"
           "        run();\n"
           "    if (child < 0 || waitpid(child, &status, 0) != child)\n"
           "        return 2;\n"
           "    if (atomic_load(&shared->seen))\n"
           "        return tell();\n"
           "    if (WIFEXITED(status) && WEXITSTATUS(status) == FINISHED)\n"
           "        return 0;\n"
           "    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)\n"
           "        return 2;\n"
           "    if (WIFEXITED(status))\n"
           "        return ended(\"the allocator ended the process by exit code\", "
           "WEXITSTATUS(status));\n"
           "    if (WTERMSIG(status) == SIGTRAP && stepping) {\n"
           "        no_steps = 1; /* it blocks all signals */\n"
           "        return 0;\n"
           "    }\n"
           "    return ended(WTERMSIG(status) == SIGALRM ? \"a legal program hangs until signal\"\n"
           "                                            : \"a legal program dies of signal\",\n"
           "                WTERMSIG(status));\n"
           "}\n");
}

/* How many passes show it but for once in a thousand times, by the rate that was measured; 0: no
 * more than there is time for. */
static unsigned long long enough(const struct reproducer_writer *w)
{
    return reproducer_is_growth(w)
               ? 0
               : (unsigned long long)w->r->attempts * (w->passes ? w->passes : 1) * MARGIN;
}

static void write_main(const struct reproducer_writer *w)
{
    fprintf(w->out,
            "/* It goes on for SECONDS, and until so many passes were made as it takes, but not "
            "beyond SECONDS_MOST. */\n"
            "enum { SECONDS = %d, SECONDS_MOST = %d };\n"
            "static const unsigned long long ENOUGH = %lluULL;\n\n"
            "int main(void)\n"
            "{\n"
            "    int answer = 0;\n"
            "    time_t start = time(NULL), gone = 0;\n"
            "    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | "
            "MAP_ANONYMOUS, -1, 0);\n"
            "    if (shared == MAP_FAILED)\n"
            "        return 2;\n"
            "    for (unsigned n = 0; answer != 1 && gone < SECONDS_MOST && (gone < SECONDS || "
            "shared->passes < ENOUGH); n++) {\n"
            "        int one = attempt(n);\n"
            "        answer = one ? one : answer;\n"
            "        gone = time(NULL) - start;\n"
            "    }\n"
            "    if (answer == 0) {\n"
            "        int n = snprintf(shared->text, sizeof shared->text, \"it did not show in %%ld "
            "s, %%llu passes\\n\",\n"
            "                         (long)gone, atomic_load(&shared->passes));\n"
            "        ssize_t written = write(2, shared->text, (size_t)n);\n"
            "        (void)written;\n"
            "    }\n"
            "    return answer;\n"
            "}\n",
            REPRODUCER_RACE_SECONDS, REPRODUCER_RACE_SECONDS_MOST, enough(w));
}

void reproducer_side_by_side(const struct reproducer_writer *w)
{
    bool ends = reproducer_threads_end(w->r), growth = reproducer_is_growth(w);
    int of_child = growth ? OF_CHILD_GROWTH : OF_CHILD;
    if (ends)
        reproducer_line(w, "static unsigned long passes_made;");
    if (growth && !ends)
        reproducer_line(w, "static volatile int over;");
    fprintf(w->out, "enum { OF_CHILD = %d, QUICK_ONES = %d, HANGS = %d, LATEST = %d };\n\n",
            of_child, growth ? 1 : QUICK_ONES, HANGS, of_child + MORE);
    write_interrupter(w);
    if (growth)
        reproducer_growth(w, "grown", GROWTH_PASSES);
    if (growth && !ends)
        write_between(w);
    write_work(w, ends);
    write_child(w);
    write_attempt(w);
    write_main(w);
}

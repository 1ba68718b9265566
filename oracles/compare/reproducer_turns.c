/* Programs of several threads and processes: a table of steps, and a small plain-C form of what
 * traces/runner/turns.c does with one. */
#include <inttypes.h>

#include "oracles/compare/reproducer_writer.h"

static bool is_control(unsigned kind)
{
    return kind == ASSAY_OP_THREAD_START || kind == ASSAY_OP_THREAD_EXIT || kind == ASSAY_OP_FORK ||
           kind == ASSAY_OP_EXIT || kind == ASSAY_OP_CONTEXT;
}

bool reproducer_in_turns(const struct assay_reproducer *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->ops[i].thread || r->ops[i].process || is_control(r->ops[i].kind))
            return true;
    return false;
}

bool reproducer_stops(const struct assay_violation *v)
{
    bool place = v->property == ASSAY_PROPERTY_C26 || v->property == ASSAY_PROPERTY_C27 ||
                 v->property == ASSAY_PROPERTY_C28 || v->property == ASSAY_PROPERTY_C30 ||
                 v->property == ASSAY_PROPERTY_C35;
    return place && (v->relation == ASSAY_RELATION_CRASH || v->relation == ASSAY_RELATION_HANG ||
                     v->relation == ASSAY_RELATION_ABORT);
}

static const char *step_name(const struct assay_event *op)
{
    static const char *const contexts[ASSAY_CONTEXT_COUNT] = {
        "NONE",         "FIRST",   "LOOP",   "KEY",   "ATEXIT",
        "ATEXIT_FIRST", "PREPARE", "PARENT", "CHILD", "CROWDED"};
    switch (op->kind) {
    case ASSAY_OP_THREAD_START: return "THREAD_START";
    case ASSAY_OP_THREAD_EXIT: return "THREAD_EXIT";
    case ASSAY_OP_FORK: return "FORK";
    case ASSAY_OP_EXIT: return "EXIT";
    case ASSAY_OP_CONTEXT: return op->arg < ASSAY_CONTEXT_COUNT ? contexts[op->arg] : "NONE";
    default: return "OP";
    }
}

/* What a step has beside who makes it: the thread or process that begins, ops of a loop, rounds of
 * a destructor, what an op bears. */
static uint64_t step_value(const struct assay_event *op)
{
    switch (op->kind) {
    case ASSAY_OP_THREAD_START:
    case ASSAY_OP_FORK: return op->arg & 0xffff;
    case ASSAY_OP_CONTEXT: return op->size & 0xffff;
    default: return assay_event_bears(op) ? op->born : 0;
    }
}

static void write_steps(const struct reproducer_writer *w)
{
    unsigned threads = 0;
    for (size_t i = 0; i < w->r->count; i++) {
        const struct assay_event *op = &w->r->ops[i];
        threads = op->thread > threads ? op->thread : threads;
        if (op->kind == ASSAY_OP_THREAD_START && (op->arg & 0xffff) > threads)
            threads = op->arg & 0xffff;
    }
    reproducer_line(w, "static void do_op(unsigned n)\n"
                       "{\n"
                       "    switch (n) {");
    for (size_t i = 0; i < w->r->count; i++) {
        if (is_control(w->r->ops[i].kind))
            continue;
        fprintf(w->out, "    case %zu:\n    ", i);
        reproducer_call(w, &w->r->ops[i]);
        reproducer_line(w, "        break;");
    }
    fprintf(w->out,
            "    default: break;\n"
            "    }\n"
            "}\n\n"
            "/* Who makes which step, in this order: the thread and process that are named. */\n"
            "enum what { OP, THREAD_START, THREAD_EXIT, FORK, EXIT, NONE, FIRST, LOOP, KEY, "
            "ATEXIT, ATEXIT_FIRST,\n"
            "            PREPARE, PARENT, CHILD, CROWDED };\n"
            "enum { THREADS = %u };\n"
            "static const struct step {\n"
            "    enum what what;\n"
            "    int process, thread;\n"
            "    unsigned value, wait_us;\n"
            "} steps[] = {\n",
            threads + 1);
    for (size_t i = 0; i < w->r->count; i++) {
        const struct assay_event *op = &w->r->ops[i];
        fprintf(w->out, "    {%s, %u, %u, %" PRIu64 ", %" PRIu64 "},\n", step_name(op), op->process,
                op->thread, step_value(op),
                op->kind == ASSAY_OP_FORK && op->size < 10000 ? op->size : 0);
    }
    reproducer_line(w, "};\n"
                       "enum { STEPS = sizeof steps / sizeof *steps };\n");
}

static void write_turns(const struct reproducer_writer *w)
{
    reproducer_line(w, "static int turn; /* whose it is */\n"
                       "static unsigned next_step;\n"
                       "static int process, child, forking, reaped;\n"
                       "static enum what in_fork, in_exit;\n"
                       "static struct {\n"
                       "    pthread_t handle;\n"
                       "    int running, leave;\n"
                       "    unsigned rounds, left;\n"
                       "} threads[THREADS];\n"
                       "static pthread_key_t key;\n"
                       "static void serve(int me);\n\n"
                       "/* with a stack of its own, what the C library holds for a thread goes as "
                       "soon as the thread does */\n"
                       "static pthread_attr_t *own_stack(unsigned whose)\n"
                       "{\n"
                       "    enum { STACK = 256 * 1024 };\n"
                       "    static char stacks[THREADS][STACK] __attribute__((aligned(4096)));\n"
                       "    static pthread_attr_t attributes;\n"
                       "    pthread_attr_init(&attributes);\n"
                       "    pthread_attr_setstack(&attributes, stacks[whose], STACK);\n"
                       "    return &attributes;\n"
                       "}\n\n"
                       "static void wait_us(unsigned microseconds)\n"
                       "{\n"
                       "    struct timespec nap = {0, (long)microseconds * 1000};\n"
                       "    nanosleep(&nap, NULL);\n"
                       "}\n\n"
                       "static void give(int whose)\n"
                       "{\n"
                       "    __atomic_store_n(&turn, whose, __ATOMIC_SEQ_CST);\n"
                       "}\n\n"
                       "static void await(int me)\n"
                       "{\n"
                       "    for (int i = 0; __atomic_load_n(&turn, __ATOMIC_SEQ_CST) != me; i++)\n"
                       "        if (i < 200)\n"
                       "            sched_yield();\n"
                       "        else\n"
                       "            wait_us(20);\n"
                       "}\n\n"
                       "static const struct step *peek(void)\n"
                       "{\n"
                       "    while (next_step < STEPS && steps[next_step].process != process)\n"
                       "        next_step++;\n"
                       "    return next_step < STEPS ? &steps[next_step] : NULL;\n"
                       "}\n");
    reproducer_line(w, "static void nothing(void)\n"
                       "{\n"
                       "}\n\n"
                       "/* what is registered beyond the room that the C library has at once: its "
                       "next calls allocate */\n"
                       "static void crowd(unsigned what)\n"
                       "{\n"
                       "    pthread_key_t more;\n"
                       "    unsigned forks = what & 4 ? 56 : what & 2 ? 48 : 0;\n"
                       "    for (int i = 0; i < 40 && what & 1; i++)\n"
                       "        (void)pthread_key_create(&more, NULL);\n"
                       "    for (unsigned i = 0; i < forks; i++)\n"
                       "        (void)pthread_atfork(nothing, nothing, nothing);\n"
                       "    for (int i = 0; i < 40 && what & 8; i++)\n"
                       "        (void)atexit(nothing);\n"
                       "}\n");
    reproducer_line(w, "/* the steps that follow, until it is this thread's turn again */\n"
                       "static void loop(int me, unsigned count)\n"
                       "{\n"
                       "    unsigned first = ++next_step, end = first;\n"
                       "    time_t start = time(NULL);\n"
                       "    while (end < STEPS && end - first < count && steps[end].what == OP &&\n"
                       "           steps[end].thread == me && steps[end].process == process)\n"
                       "        end++;\n"
                       "    next_step = end;\n"
                       "    quiet = 1;\n"
                       "    for (int passes = 0; first < end; passes++) {\n"
                       "        for (unsigned i = first; i < end; i++)\n"
                       "            do_op(i);\n"
                       "        for (unsigned i = first; i < end; i++)\n"
                       "            if (objects[steps[i].value].live) {\n"
                       "                call_free(objects[steps[i].value].at);\n"
                       "                objects[steps[i].value].live = 0;\n"
                       "            }\n"
                       "        if (passes == 0)\n"
                       "            give(0);\n"
                       "        else if (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) == me)\n"
                       "            break;\n"
                       "        if (time(NULL) - start > 1) {\n"
                       "            await(me);\n"
                       "            break;\n"
                       "        }\n"
                       "    }\n"
                       "    quiet = 0;\n"
                       "}\n\n"
                       "static void at_thread_end(void *argument)\n"
                       "{\n"
                       "    int me = (int)(intptr_t)argument;\n"
                       "    threads[me].left--;\n"
                       "    if (threads[me].rounds > 0) {\n"
                       "        threads[me].rounds--;\n"
                       "        pthread_setspecific(key, argument);\n"
                       "        return;\n"
                       "    }\n"
                       "    serve(me);\n"
                       "}\n\n"
                       "static void *thread(void *argument)\n"
                       "{\n"
                       "    await((int)(intptr_t)argument);\n"
                       "    serve((int)(intptr_t)argument);\n"
                       "    return NULL;\n"
                       "}\n");
}

static void write_forks(const struct reproducer_writer *w)
{
    reproducer_line(
        w, "static void enter_child(void)\n"
           "{\n"
           "    alarm(4);\n"
           "    process = child;\n"
           "    forking = 0;\n"
           "    in_fork = OP;\n"
           "    for (int i = 1; i < THREADS; i++)\n"
           "        threads[i].running = 0;\n"
           "}\n\n"
           "/* what ends the child ends its parent */\n"
           "static void reap(void)\n"
           "{\n"
           "    int status = 0;\n"
           "    if (reaped)\n"
           "        return;\n"
           "    reaped = 1;\n"
           "    if (waitpid(-1, &status, 0) < 0)\n"
           "        _exit(2);\n"
           "    if (WIFSIGNALED(status)) {\n"
           "        signal(WTERMSIG(status), SIG_DFL);\n"
           "        kill(getpid(), WTERMSIG(status));\n"
           "    }\n"
           "    if (WEXITSTATUS(status) != 0)\n"
           "        _exit(WEXITSTATUS(status));\n"
           "}\n\n"
           "static void fork_now(void)\n"
           "{\n"
           "    int before = process;\n"
           "    forking = 1;\n"
           "    reaped = 0;\n"
           "    pid_t pid = fork();\n"
           "    if (pid == 0) {\n"
           "        if (process == before)\n"
           "            enter_child();\n"
           "        for (;;)\n"
           "            serve(0);\n"
           "    }\n"
           "    forking = 0;\n"
           "    if (pid > 0)\n"
           "        reap();\n"
           "}\n\n"
           "static int next_is(enum what what)\n"
           "{\n"
           "    unsigned at = next_step;\n"
           "    while (at < STEPS && steps[at].process != process)\n"
           "        at++;\n"
           "    return at < STEPS && steps[at].what == what && steps[at].thread == 0;\n"
           "}\n\n"
           "static void in_handler(enum what what)\n"
           "{\n"
           "    if (!next_is(what))\n"
           "        return;\n"
           "    if (what == PARENT)\n"
           "        reap();\n"
           "    peek();\n"
           "    next_step++;\n"
           "    in_fork = what;\n"
           "    serve(0);\n"
           "    in_fork = OP;\n"
           "}\n\n"
           "static void on_prepare(void)\n"
           "{\n"
           "    if (forking && in_fork == PREPARE)\n"
           "        serve(0);\n"
           "    in_fork = OP;\n"
           "}\n\n"
           "static void on_parent(void)\n"
           "{\n"
           "    if (forking)\n"
           "        in_handler(PARENT);\n"
           "}\n\n"
           "static void on_child(void)\n"
           "{\n"
           "    if (!forking)\n"
           "        return;\n"
           "    enter_child();\n"
           "    in_handler(CHILD);\n"
           "}\n\n"
           "static void on_exit_now(void)\n"
           "{\n"
           "    if (in_exit == ATEXIT)\n"
           "        serve(0);\n"
           "}\n\n"
           "static void on_last_exit(void *nothing)\n"
           "{\n"
           "    (void)nothing;\n"
           "    if (in_exit == ATEXIT_FIRST)\n"
           "        serve(0);\n"
           "}\n\n"
           "/* before any library's constructor, and of no library: so it runs behind all others, "
           "as\n"
           " * calls of other libraries' destructors may */\n"
           "extern int __cxa_atexit(void (*handler)(void *), void *argument, void *library);\n"
           "static void register_first(void)\n"
           "{\n"
           "    __cxa_atexit(on_last_exit, NULL, NULL);\n"
           "}\n"
           "__attribute__((section(\".preinit_array\"), used)) static void (*const first)(void) = "
           "register_first;\n");
}

static void write_serve(const struct reproducer_writer *w)
{
    reproducer_line(
        w, "/* not 0: what the thread stands in ends */\n"
           "static int step(int me, const struct step *s)\n"
           "{\n"
           "    static int handlers;\n"
           "    if (s->what == OP) {\n"
           "        do_op(next_step++);\n"
           "        return 0;\n"
           "    }\n"
           "    if (s->what == LOOP && me != 0) {\n"
           "        loop(me, s->value);\n"
           "        return 0;\n"
           "    }\n"
           "    if (s->what == THREAD_EXIT && me != 0)\n"
           "        return 1;\n"
           "    next_step++;\n"
           "    switch (s->what) {\n"
           "    case KEY:\n"
           "        if (threads[me].left == 0)\n"
           "            return 0;\n"
           "        threads[me].rounds = s->value < threads[me].left ? s->value : threads[me].left "
           "- 1;\n"
           "        return me != 0 && pthread_setspecific(key, (void *)(intptr_t)me) == 0;\n"
           "    case THREAD_START:\n"
           "        threads[s->value].leave = 0;\n"
           "        threads[s->value].left = PTHREAD_DESTRUCTOR_ITERATIONS;\n"
           "        threads[s->value].running =\n"
           "            pthread_create(&threads[s->value].handle, own_stack(s->value), thread,\n"
           "                           (void *)(intptr_t)s->value) == 0;\n"
           "        return 0;\n"
           "    case FORK:\n"
           "        child = (int)s->value;\n"
           "        wait_us(s->wait_us);\n"
           "        if (forking)\n"
           "            return 1;\n"
           "        fork_now();\n"
           "        return 0;\n"
           "    case PREPARE:\n"
           "        if (!handlers)\n"
           "            handlers = pthread_atfork(on_prepare, on_parent, on_child) == 0;\n"
           "        in_fork = PREPARE;\n"
           "        child = -1;\n"
           "        fork_now();\n"
           "        return 0;\n"
           "    case ATEXIT:\n"
           "    case ATEXIT_FIRST:\n"
           "        if (process == 0 || in_exit)\n"
           "            return 0;\n"
           "        in_exit = s->what;\n"
           "        if (s->what == ATEXIT)\n"
           "            atexit(on_exit_now);\n"
           "        exit(0);\n"
           "    case EXIT:\n"
           "        if (process == 0)\n"
           "            return 0;\n"
           "        if (!in_exit)\n"
           "            _exit(0);\n"
           "        next_step = STEPS;\n"
           "        return 1;\n"
           "    case CROWDED: crowd(s->value); return 0;\n"
           "    case NONE: return in_fork == PARENT || in_fork == CHILD;\n"
           "    default: return 0;\n"
           "    }\n"
           "}\n\n"
           "static void serve(int me)\n"
           "{\n"
           "    for (;;) {\n"
           "        const struct step *s = peek();\n"
           "        int whose = s ? s->thread : 0;\n"
           "        if (me != 0 && (whose != me || (s->what == THREAD_EXIT && "
           "!threads[me].leave))) {\n"
           "            give(0);\n"
           "            await(me);\n"
           "        } else if (!s) {\n"
           "            if (process != 0 && !in_exit)\n"
           "                _exit(0);\n"
           "            return;\n"
           "        } else if (whose == me) {\n"
           "            if (step(me, s))\n"
           "                return;\n"
           "        } else if (!threads[whose].running) {\n"
           "            next_step++;\n"
           "        } else if (s->what == THREAD_EXIT) {\n"
           "            threads[whose].leave = 1;\n"
           "            give(whose);\n"
           "            pthread_join(threads[whose].handle, NULL);\n"
           "            threads[whose].running = 0;\n"
           "            give(0);\n"
           "            next_step++;\n"
           "        } else {\n"
           "            give(whose);\n"
           "            await(0);\n"
           "        }\n"
           "    }\n"
           "}\n\n"
           "static void part_0(void)\n"
           "{\n"
           "    static int begun;\n"
           "    if (!begun++)\n"
           "        pthread_key_create(&key, at_thread_end);\n"
           "    next_step = 0;\n"
           "    serve(0);\n"
           "}\n");
}

size_t reproducer_turns(const struct reproducer_writer *w)
{
    write_steps(w);
    write_turns(w);
    write_forks(w);
    write_serve(w);
    return 1;
}

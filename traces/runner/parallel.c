#include "traces/runner/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "traces/core/clock.h"
#include "traces/runner/crash.h"
#include "traces/runner/preempt.h"
#include "traces/runner/threads.h"

enum { SPINS = 200, NONE = UINT16_MAX };

struct worker {
    struct assay_parallel *parallel;
    struct assay_executor *executor;
    pthread_t thread;
    bool running;
    _Atomic uint32_t go, done; /* chunks to do and done */
    bool leave;                /* after the chunk in hand, */
    bool together;             /* with others */
    uint16_t first;            /* index of its first event in the chunk, NONE = nothing to do */
    uint16_t last;             /* while planning */
    _Atomic uint16_t now;      /* the event in hand */
    struct assay_preempted preempted;
    char *stack, *signal_stack;
};

struct stamped {
    uint64_t stamp;
    uint16_t event;
    uint8_t half; /* ASSAY_FLAG_BEGIN, ASSAY_FLAG_END or 0 */
};

struct assay_parallel {
    struct assay_shared *shared;
    struct assay_executor *base;
    struct assay_chunk *chunk;
    uint32_t max_objects, chunk_number;
    uint64_t *last_op; /* by object: chunk number << 16 | event index of its last op */
    uint64_t op_base;
    struct worker workers[ASSAY_PARALLEL_THREADS];
    uint16_t wait_for[ASSAY_PARALLEL_EVENTS][2];    /* events that must be done first, or NONE */
    uint16_t next[ASSAY_PARALLEL_EVENTS];           /* of the same thread */
    _Atomic uint64_t before[ASSAY_PARALLEL_EVENTS]; /* 0: not begun */
    uint64_t after[ASSAY_PARALLEL_EVENTS];
    _Atomic uint8_t done[ASSAY_PARALLEL_EVENTS];
    struct stamped order[2 * ASSAY_PARALLEL_EVENTS], scratch[2 * ASSAY_PARALLEL_EVENTS];
    struct assay_event events[ASSAY_PARALLEL_EVENTS];
    uint16_t count;            /* of events in hand */
    _Atomic uint32_t together; /* threads that are still to come to their common end */
    bool preempted;
    struct assay_subject subject;        /* where preempted */
    _Alignas(64) _Atomic uint64_t steps; /* where preempted: rises with each stamp */
    _Alignas(64) _Atomic uint32_t evidence_count;
    struct assay_event evidence[ASSAY_CHUNK_EVIDENCE];
};

static __thread struct worker *thread_worker;

static uint64_t stamp(struct assay_parallel *parallel)
{
    if (parallel->preempted)
        return atomic_fetch_add(&parallel->steps, 1) + 1;
#if defined(__x86_64__)
    unsigned processor;
    __builtin_ia32_lfence();
    uint64_t now = __builtin_ia32_rdtscp(&processor);
    __builtin_ia32_lfence();
    return now;
#else
    return atomic_fetch_add(&parallel->steps, 1) + 1;
#endif
}

size_t assay_parallel_bytes(const struct assay_executor_config *config)
{
    return sizeof(struct assay_parallel) + ((size_t)config->max_objects + 1) * sizeof(uint64_t) +
           ASSAY_PARALLEL_THREADS * (assay_executor_shared_bytes() + ASSAY_THREAD_STACK_BYTES +
                                     ASSAY_THREAD_SIGNAL_STACK_BYTES + 16384) +
           65536;
}

struct assay_parallel *assay_parallel_create(struct assay_arena *arena, struct assay_executor *base,
                                             const struct assay_executor_config *config,
                                             struct assay_shared *shared)
{
    struct assay_parallel *parallel = assay_arena_take(arena, sizeof *parallel, 64);
    if (!parallel)
        return NULL;
    parallel->last_op =
        assay_arena_take(arena, ((size_t)config->max_objects + 1) * sizeof(uint64_t), 64);
    if (!parallel->last_op)
        return NULL;
    parallel->shared = shared;
    parallel->base = base;
    parallel->max_objects = config->max_objects;
    parallel->preempted = shared->preempted != 0;
    for (int i = 0; i < ASSAY_PARALLEL_THREADS; i++) {
        struct worker *worker = &parallel->workers[i];
        worker->parallel = parallel;
        worker->executor = i == 0 ? base : assay_executor_reserve(arena);
        worker->stack = assay_arena_take(arena, ASSAY_THREAD_STACK_BYTES, 4096);
        worker->signal_stack = assay_arena_take(arena, ASSAY_THREAD_SIGNAL_STACK_BYTES, 4096);
        if (!worker->executor || !worker->stack || !worker->signal_stack)
            return NULL;
    }
    assay_executor_make_concurrent(base);
    thread_worker = &parallel->workers[0];
    if (parallel->preempted) {
        const struct assay_subject through = assay_preempt_subject(config->subject);
        parallel->subject = *config->subject;
        assay_preempt_install(config->subject, shared->stepped != 0);
        assay_preempt_thread(&thread_worker->preempted, config->subject, &parallel->steps);
        assay_executor_call_through(base, &through);
    }
    return parallel;
}

/* ---- planning: who does what after whom ------------------------------------------------------ */

static uint16_t last_of(struct assay_parallel *parallel, uint32_t object, uint16_t self)
{
    if (object == 0 || object > parallel->max_objects)
        return NONE;
    uint64_t last = parallel->last_op[object];
    parallel->last_op[object] = (uint64_t)parallel->chunk_number << 16 | self;
    if (last >> 16 != parallel->chunk_number || (uint16_t)last == self)
        return NONE;
    return (uint16_t)last;
}

static bool starts(const struct assay_event *event, const struct assay_event *like)
{
    return event->kind == ASSAY_OP_THREAD_START && event->thread == like->thread;
}

/* Who end in a row do so at once. */
static void plan_ends(struct assay_parallel *parallel, uint16_t from, uint16_t to)
{
    uint32_t row = 0;
    for (uint16_t i = from; i < to; i++) {
        const struct assay_event *event = &parallel->events[i];
        bool ends = event->kind == ASSAY_OP_THREAD_EXIT && event->thread != 0;
        bool next = ends && i + 1 < to && event[1].kind == ASSAY_OP_THREAD_EXIT;
        row = ends ? row + 1 : 0;
        if (!ends || (!next && row == 1))
            continue;
        parallel->workers[event->thread % ASSAY_PARALLEL_THREADS].together = true;
        parallel->together++;
    }
}

/* Plans events [from, to): what is measured is measured by the main thread alone. */
static void plan(struct assay_parallel *parallel, uint16_t from, uint16_t to)
{
    uint16_t started[ASSAY_PARALLEL_THREADS];
    parallel->chunk_number++;
    memset(started, 0xff, sizeof started);
    atomic_store(&parallel->together, 0);
    for (int i = 0; i < ASSAY_PARALLEL_THREADS; i++) {
        parallel->workers[i].first = NONE;
        parallel->workers[i].together = false;
    }
    for (uint16_t i = from; i < to; i++) {
        const struct assay_event *event = &parallel->events[i];
        struct worker *worker = &parallel->workers[event->thread % ASSAY_PARALLEL_THREADS];
        parallel->next[i] = NONE;
        parallel->wait_for[i][0] = last_of(parallel, event->object, i);
        parallel->wait_for[i][1] = last_of(parallel, event->born, i);
        if (worker->first == NONE) {
            worker->first = i;
            if (parallel->wait_for[i][1] == NONE)
                parallel->wait_for[i][1] = started[event->thread % ASSAY_PARALLEL_THREADS];
        } else {
            parallel->next[worker->last] = i;
        }
        worker->last = i;
        if (event->kind == ASSAY_OP_THREAD_START) /* who start in a row do so at once */
            for (uint32_t k = i + 1u; k > from && starts(&parallel->events[k - 1], event); k--)
                started[parallel->events[k - 1].arg % ASSAY_PARALLEL_THREADS] = i;
        if (event->kind == ASSAY_OP_THREAD_EXIT && event->thread != 0)
            worker->leave = true;
    }
    plan_ends(parallel, from, to);
}

/* ---- doing ---------------------------------------------------------------------------------- */

static void await(struct assay_parallel *parallel, uint16_t index)
{
    if (index == NONE)
        return;
    for (int spins = 0; !atomic_load_explicit(&parallel->done[index], memory_order_acquire);)
        if (++spins < SPINS)
            assay_spin();
        else
            sched_yield();
}

struct own_evidence {
    struct assay_parallel *parallel;
    uint16_t event;
};

static void keep_evidence(void *self, const struct assay_event *event)
{
    struct own_evidence *own = self;
    if (event->kind != ASSAY_OP_EVIDENCE)
        return;
    uint32_t at = atomic_fetch_add(&own->parallel->evidence_count, 1);
    if (at >= ASSAY_CHUNK_EVIDENCE)
        return;
    own->parallel->evidence[at] = *event;
    own->parallel->evidence[at].site = own->event;
}

static void do_share(struct worker *worker)
{
    struct assay_parallel *parallel = worker->parallel;
    struct own_evidence own = {.parallel = parallel};
    const struct assay_sink sink = {.self = &own, .after = keep_evidence};
    for (uint16_t i = worker->first; i != NONE; i = parallel->next[i]) {
        await(parallel, parallel->wait_for[i][0]);
        await(parallel, parallel->wait_for[i][1]);
        own.event = i;
        atomic_store_explicit(&parallel->shared->progress, parallel->op_base + i,
                              memory_order_relaxed);
        atomic_store_explicit(&worker->now, i, memory_order_relaxed);
        atomic_store_explicit(&parallel->before[i], stamp(parallel), memory_order_release);
        worker->preempted.before = &parallel->before[i]; /* closer to the call, if there is one */
        worker->preempted.after = &parallel->after[i];
        parallel->after[i] = 0;
        assay_executor_run(worker->executor, &parallel->events[i], 1, &sink);
        if (parallel->after[i] == 0)
            parallel->after[i] = stamp(parallel);
        atomic_store_explicit(&parallel->done[i], 1, memory_order_release);
    }
    worker->preempted.before = NULL;
    worker->preempted.after = NULL;
    if (!worker->leave) /* else what comes still is the end of its thread */
        atomic_store_explicit(&worker->now, NONE, memory_order_relaxed);
}

/* What ends at once ends so within a moment, or alone. */
static void await_others(struct assay_parallel *parallel)
{
    enum { YIELDS = 100 };
    atomic_fetch_sub(&parallel->together, 1);
    for (unsigned i = 0; i < YIELDS && atomic_load(&parallel->together) > 0; i++)
        sched_yield();
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    uint32_t done = atomic_load(&worker->done);
    thread_worker = worker;
    if (worker->parallel->preempted)
        assay_preempt_thread(&worker->preempted, &worker->parallel->subject,
                             &worker->parallel->steps);
    assay_crash_thread(worker->signal_stack, ASSAY_THREAD_SIGNAL_STACK_BYTES, NULL);
    atomic_fetch_add(&worker->parallel->shared->library_calls, assay_thread_library_calls());
    for (bool leave = false; !leave; done++) {
        while (atomic_load(&worker->go) == done)
            assay_futex_wait(&worker->go, done, 0);
        leave = worker->leave;
        do_share(worker);
        atomic_store(&worker->done, done + 1);
        assay_futex_wake(&worker->done);
    }
    if (worker->together)
        await_others(worker->parallel);
    assay_preempt_end();
    return NULL;
}

static void start(struct worker *worker)
{
    assay_executor_share(worker->executor, worker->parallel->base);
    atomic_store(&worker->go, 0);
    atomic_store(&worker->done, 0);
    ASSAY_CHECK(assay_thread_start(&worker->thread, worker->stack, work, worker));
    worker->running = true;
}

static void finish(struct worker *worker)
{
    for (;;) {
        uint32_t done = atomic_load(&worker->done);
        if (done == atomic_load(&worker->go))
            break;
        assay_futex_wait(&worker->done, done, 0);
    }
    if (worker->leave) {
        pthread_join(worker->thread, NULL);
        worker->running = worker->leave = false;
    }
}

/* ---- the order that was --------------------------------------------------------------------- */

static void sort(struct assay_parallel *parallel, size_t n)
{
    struct stamped *from = parallel->order, *to = parallel->scratch;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t low = 0; low < n; low += 2 * width) {
            size_t middle = low + width < n ? low + width : n;
            size_t high = low + 2 * width < n ? low + 2 * width : n;
            size_t a = low, b = middle;
            for (size_t at = low; at < high; at++)
                to[at] = a < middle && (b >= high || from[a].stamp <= from[b].stamp) ? from[a++]
                                                                                     : from[b++];
        }
        struct stamped *swap = from;
        from = to;
        to = swap;
    }
    if (from != parallel->order)
        memcpy(parallel->order, from, n * sizeof *from);
}

/* What is known of an event's place in the order: its stamps, as many as there are. */
static size_t place(struct assay_parallel *parallel, uint16_t i, struct stamped *out)
{
    const struct assay_event *event = &parallel->events[i];
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    uint64_t before = atomic_load(&parallel->before[i]);
    if (op_class == ASSAY_CLASS_RESIZE && (event->flags & ASSAY_FLAG_EXECUTED)) {
        out[0] = (struct stamped){before, i, ASSAY_FLAG_BEGIN};
        out[1] = (struct stamped){parallel->after[i], i, ASSAY_FLAG_END};
        return 2;
    }
    bool early = op_class == ASSAY_CLASS_RELEASE;
    *out = (struct stamped){early ? before : parallel->after[i], i, 0};
    return 1;
}

static void tell_evidence(struct assay_parallel *parallel, uint16_t event, size_t at,
                          uint32_t evidence, const struct assay_sink *sink)
{
    struct assay_chunk *chunk = parallel->chunk;
    for (uint32_t e = 0; e < evidence; e++) {
        if (parallel->evidence[e].site != event)
            continue;
        struct assay_event told = parallel->evidence[e];
        told.site = (uint32_t)at;
        if (chunk->evidence_count < ASSAY_CHUNK_EVIDENCE)
            chunk->evidence[chunk->evidence_count++] = told;
        if (sink && sink->after)
            sink->after(sink->self, &told);
    }
}

/* Writes the chunk anew, in the order of the n stamps, and tells the sink. */
static void retell(struct assay_parallel *parallel, size_t n, const struct assay_sink *sink)
{
    struct assay_chunk *chunk = parallel->chunk;
    sort(parallel, n);
    uint32_t evidence = atomic_load(&parallel->evidence_count);
    if (evidence > ASSAY_CHUNK_EVIDENCE)
        evidence = ASSAY_CHUNK_EVIDENCE;
    chunk->count = (uint32_t)n;
    for (size_t at = 0; at < n; at++) {
        const struct stamped *stamped = &parallel->order[at];
        struct assay_event *event = &chunk->events[at];
        *event = parallel->events[stamped->event];
        event->flags |= stamped->half;
        if (stamped->half == ASSAY_FLAG_BEGIN)
            event->checked = event->failed = 0;
        if (sink && sink->before && !(event->flags & ASSAY_FLAG_SKIPPED))
            sink->before(sink->self, event);
        if (sink && sink->after)
            sink->after(sink->self, event);
        if (stamped->half != ASSAY_FLAG_BEGIN)
            tell_evidence(parallel, stamped->event, at, evidence, sink);
    }
}

static void retell_all(struct assay_parallel *parallel, const struct assay_sink *sink)
{
    size_t n = 0;
    for (uint16_t i = 0; i < parallel->count; i++)
        n += place(parallel, i, &parallel->order[n]);
    retell(parallel, n, sink);
}

/* Others go on while this looks at them: what was done by now is read first, and then what had
 * begun, so that an object which one of them got is known to have been given up by another. */
void assay_parallel_crashed(struct assay_parallel *parallel)
{
    struct assay_chunk *chunk = parallel->chunk;
    uint16_t own = thread_worker ? atomic_load(&thread_worker->now) : NONE;
    size_t n = 0;
    if (!chunk || own == NONE)
        return; /* nothing is in hand, or it is the subject's own thread */
    static uint8_t done[ASSAY_PARALLEL_EVENTS];
    for (uint16_t i = 0; i < parallel->count; i++)
        done[i] = atomic_load(&parallel->done[i]);
    for (uint16_t i = 0; i < parallel->count; i++) {
        struct assay_event *event = &parallel->events[i];
        enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
        uint64_t before = atomic_load(&parallel->before[i]);
        if (i == own)
            continue;
        if (done[i]) {
            n += place(parallel, i, &parallel->order[n]);
        } else if (before != 0 &&
                   (op_class == ASSAY_CLASS_RELEASE || op_class == ASSAY_CLASS_RESIZE)) {
            uint8_t half = op_class == ASSAY_CLASS_RESIZE ? ASSAY_FLAG_BEGIN : 0;
            event->checked = event->failed = event->error = 0;
            event->flags |= ASSAY_FLAG_EXECUTED;
            parallel->order[n++] = (struct stamped){before, i, half};
        }
    }
    parallel->events[own].flags &= (uint8_t)~ASSAY_FLAG_EXECUTED;
    parallel->order[n++] = (struct stamped){UINT64_MAX, own, 0};
    retell(parallel, n, NULL);
    chunk->retold = 1;
}

/* Events [from, to), side by side. */
static void run_part(struct assay_parallel *parallel, uint16_t from, uint16_t to)
{
    plan(parallel, from, to);
    for (int i = 1; i < ASSAY_PARALLEL_THREADS; i++)
        if (parallel->workers[i].first != NONE && !parallel->workers[i].running)
            start(&parallel->workers[i]);
    for (int i = 1; i < ASSAY_PARALLEL_THREADS; i++) {
        struct worker *worker = &parallel->workers[i];
        if (worker->first == NONE)
            continue;
        atomic_fetch_add(&worker->go, 1);
        assay_futex_wake(&worker->go);
    }
    do_share(&parallel->workers[0]);
    for (int i = 1; i < ASSAY_PARALLEL_THREADS; i++)
        if (parallel->workers[i].first != NONE)
            finish(&parallel->workers[i]);
    for (int i = 1; i < ASSAY_PARALLEL_THREADS; i++)
        if (parallel->workers[i].first != NONE)
            assay_executor_rejoin(parallel->base, parallel->workers[i].executor);
}

uint64_t assay_parallel_run(struct assay_parallel *parallel, struct assay_chunk *chunk,
                            const struct assay_sink *sink)
{
    uint16_t count =
        (uint16_t)(chunk->count < ASSAY_PARALLEL_EVENTS ? chunk->count
                                                        : (uint32_t)ASSAY_PARALLEL_EVENTS);
    memcpy(parallel->events, chunk->events, count * sizeof *chunk->events);
    for (uint16_t i = 0; i < count; i++) {
        atomic_store_explicit(&parallel->done[i], 0, memory_order_relaxed);
        atomic_store_explicit(&parallel->before[i], 0, memory_order_relaxed);
    }
    parallel->count = count;
    parallel->chunk = chunk;
    atomic_store(&parallel->evidence_count, 0);
    uint64_t begin = assay_now_ns();
    for (uint16_t from = 0, to; from < count; from = to) {
        bool alone = parallel->events[from].kind == ASSAY_OP_MEASURE;
        bool ended[ASSAY_PARALLEL_THREADS] = {false};
        for (to = from; to < count; to++) {
            const struct assay_event *event = &parallel->events[to];
            if (to > from && (alone || event->kind == ASSAY_OP_MEASURE))
                break;
            if (event->kind == ASSAY_OP_THREAD_START && ended[event->arg % ASSAY_PARALLEL_THREADS])
                break; /* it ends with the part */
            if (event->kind == ASSAY_OP_THREAD_EXIT)
                ended[event->thread % ASSAY_PARALLEL_THREADS] = true;
        }
        run_part(parallel, from, to);
    }
    uint64_t spent = assay_now_ns() - begin;
    parallel->op_base += count;
    retell_all(parallel, sink);
    parallel->chunk = NULL;
    return spent;
}

void assay_parallel_stop(struct assay_parallel *parallel)
{
    for (int i = 1; i < ASSAY_PARALLEL_THREADS; i++) {
        struct worker *worker = &parallel->workers[i];
        if (!worker->running)
            continue;
        worker->first = NONE;
        worker->leave = true;
        atomic_fetch_add(&worker->go, 1);
        assay_futex_wake(&worker->go);
        finish(worker);
    }
    parallel->op_base = 0;
}

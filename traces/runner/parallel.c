#include "traces/runner/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "traces/core/clock.h"
#include "traces/runner/crash.h"
#include "traces/runner/threads.h"

enum { SPINS = 200, NONE = UINT16_MAX };

struct worker {
    struct assay_parallel *parallel;
    struct assay_executor *executor;
    pthread_t thread;
    bool running;
    _Atomic uint32_t go, done; /* chunks to do and done */
    bool leave;                /* after the chunk in hand */
    uint16_t first;            /* index of its first event in the chunk, NONE = nothing to do */
    uint16_t last;             /* while planning */
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
    uint16_t wait_for[ASSAY_PARALLEL_EVENTS][2]; /* events that must be done first, or NONE */
    uint16_t next[ASSAY_PARALLEL_EVENTS];        /* of the same thread */
    uint64_t before[ASSAY_PARALLEL_EVENTS], after[ASSAY_PARALLEL_EVENTS];
    _Atomic uint8_t done[ASSAY_PARALLEL_EVENTS];
    struct stamped order[2 * ASSAY_PARALLEL_EVENTS], scratch[2 * ASSAY_PARALLEL_EVENTS];
    struct assay_event events[ASSAY_PARALLEL_EVENTS];
    _Atomic uint32_t evidence_count;
    struct assay_event evidence[ASSAY_CHUNK_EVIDENCE];
};

static uint64_t stamp(void)
{
#if defined(__x86_64__)
    unsigned processor;
    __builtin_ia32_lfence();
    uint64_t now = __builtin_ia32_rdtscp(&processor);
    __builtin_ia32_lfence();
    return now;
#else
    static _Atomic uint64_t counter;
    return atomic_fetch_add(&counter, 1);
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

static void plan(struct assay_parallel *parallel, uint16_t count)
{
    uint16_t started[ASSAY_PARALLEL_THREADS];
    parallel->chunk_number++;
    memset(started, 0xff, sizeof started);
    for (int i = 0; i < ASSAY_PARALLEL_THREADS; i++)
        parallel->workers[i].first = NONE;
    for (uint16_t i = 0; i < count; i++) {
        const struct assay_event *event = &parallel->events[i];
        struct worker *worker = &parallel->workers[event->thread % ASSAY_PARALLEL_THREADS];
        atomic_store_explicit(&parallel->done[i], 0, memory_order_relaxed);
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
        if (event->kind == ASSAY_OP_THREAD_START)
            started[event->arg % ASSAY_PARALLEL_THREADS] = i;
        if (event->kind == ASSAY_OP_THREAD_EXIT && event->thread != 0)
            worker->leave = true;
    }
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
        parallel->before[i] = stamp();
        assay_executor_run(worker->executor, &parallel->events[i], 1, &sink);
        parallel->after[i] = stamp();
        atomic_store_explicit(&parallel->done[i], 1, memory_order_release);
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    uint32_t done = atomic_load(&worker->done);
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

/* Writes the chunk anew, in the order of the stamps, and tells the sink. */
static void retell(struct assay_parallel *parallel, uint16_t count, const struct assay_sink *sink)
{
    struct assay_chunk *chunk = parallel->chunk;
    size_t n = 0;
    for (uint16_t i = 0; i < count; i++) {
        const struct assay_event *event = &parallel->events[i];
        enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
        bool executed = event->flags & ASSAY_FLAG_EXECUTED;
        if (op_class == ASSAY_CLASS_RESIZE && executed) {
            parallel->order[n++] = (struct stamped){parallel->before[i], i, ASSAY_FLAG_BEGIN};
            parallel->order[n++] = (struct stamped){parallel->after[i], i, ASSAY_FLAG_END};
        } else {
            bool early = op_class == ASSAY_CLASS_RELEASE;
            parallel->order[n++] =
                (struct stamped){early ? parallel->before[i] : parallel->after[i], i, 0};
        }
    }
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
        for (uint32_t e = 0; e < evidence && stamped->half != ASSAY_FLAG_BEGIN; e++) {
            if (parallel->evidence[e].site != stamped->event)
                continue;
            struct assay_event told = parallel->evidence[e];
            told.site = (uint32_t)at;
            if (chunk->evidence_count < ASSAY_CHUNK_EVIDENCE)
                chunk->evidence[chunk->evidence_count++] = told;
            if (sink && sink->after)
                sink->after(sink->self, &told);
        }
    }
}

uint64_t assay_parallel_run(struct assay_parallel *parallel, struct assay_chunk *chunk,
                            const struct assay_sink *sink)
{
    uint16_t count =
        (uint16_t)(chunk->count < ASSAY_PARALLEL_EVENTS ? chunk->count
                                                        : (uint32_t)ASSAY_PARALLEL_EVENTS);
    memcpy(parallel->events, chunk->events, count * sizeof *chunk->events);
    parallel->chunk = chunk;
    atomic_store(&parallel->evidence_count, 0);
    plan(parallel, count);
    for (int i = 1; i < ASSAY_PARALLEL_THREADS; i++)
        if (parallel->workers[i].first != NONE && !parallel->workers[i].running)
            start(&parallel->workers[i]);
    uint64_t begin = assay_now_ns();
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
    uint64_t spent = assay_now_ns() - begin;
    for (int i = 1; i < ASSAY_PARALLEL_THREADS; i++)
        if (parallel->workers[i].first != NONE)
            assay_executor_rejoin(parallel->base, parallel->workers[i].executor);
    parallel->op_base += count;
    retell(parallel, count, sink);
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

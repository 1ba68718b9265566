#include "traces/runner/turns.h"

#include <limits.h>
#include <time.h>

#include "traces/core/clock.h"
#include "traces/runner/crash_capture.h"
#include "traces/runner/turns_state.h"

/* Loops end by themselves after so much time of their thread: what the host takes for a hang is
 * more than all of them can burn. */
enum { LOOP_NS = 150 * 1000 * 1000, LOOP_LOOKS = 16, SPINS = 200 };

/* ---- the turn ------------------------------------------------------------------------------- */

static void await_turn(struct worker *self)
{
    for (int spins = 0; atomic_load_explicit(&self->turn, memory_order_acquire) == 0;) {
        if (++spins < SPINS)
            assay_spin();
        else
            assay_futex_wait(&self->turn, 0, 0);
    }
}

static void give_turn(struct worker *self, struct worker *next)
{
    atomic_store_explicit(&self->turn, 0, memory_order_relaxed);
    atomic_store_explicit(&next->turn, 1, memory_order_release);
    assay_futex_wake(&next->turn);
}

struct assay_event *assay_turns_peek(struct assay_turns *turns)
{
    for (; turns->next < turns->count; turns->next++) {
        struct assay_event *event = &turns->chunk->events[turns->next];
        if (event->process == turns->process)
            return event;
        /* a child's whose fork is not there; its own child's were executed by it */
        if (turns->process == 0 && !(event->flags & ASSAY_FLAG_EXECUTED))
            event->flags |= ASSAY_FLAG_SKIPPED;
    }
    return NULL;
}

void assay_turns_begin(struct assay_turns *turns)
{
    atomic_store_explicit(&turns->shared->progress, turns->base + turns->next,
                          memory_order_relaxed);
}

void assay_turns_pass(struct assay_turns *turns)
{
    size_t at = turns->next++;
    assay_executor_run_part(turns->executor, turns->chunk->events, at, at + 1, turns->base,
                            turns->sink);
}

void assay_turns_skip(struct assay_turns *turns)
{
    struct assay_event *event = &turns->chunk->events[turns->next++];
    event->flags |= ASSAY_FLAG_SKIPPED;
    if (turns->sink && turns->sink->after)
        turns->sink->after(turns->sink->self, event);
}

static struct worker *worker_of(struct assay_turns *turns, uint16_t thread)
{
    if (thread == 0)
        return &turns->workers[0];
    for (int i = 1; i < ASSAY_TURNS_THREADS; i++)
        if (turns->workers[i].running && turns->workers[i].thread == thread)
            return &turns->workers[i];
    return NULL;
}

static bool is_control(unsigned kind)
{
    return kind == ASSAY_OP_THREAD_START || kind == ASSAY_OP_THREAD_EXIT || kind == ASSAY_OP_FORK ||
           kind == ASSAY_OP_EXIT || kind == ASSAY_OP_CONTEXT;
}

/* ---- loops ---------------------------------------------------------------------------------- */

static void take_loop(struct worker *self, uint64_t wanted)
{
    struct assay_turns *turns = self->turns;
    for (self->loop_count = 0; self->loop_count < wanted && turns->next < turns->count;) {
        struct assay_event *event = &turns->chunk->events[turns->next];
        if (event->thread != self->thread || event->process != turns->process ||
            is_control(event->kind) || self->loop_count == ASSAY_TURNS_LOOP)
            return;
        self->loop[self->loop_count++] = *event;
        event->flags |= ASSAY_FLAG_LIBRARY; /* what comes of it nobody is told */
        turns->next++;
    }
}

static void loop_once(struct worker *self)
{
    assay_executor_run(self->executor, self->loop, self->loop_count, NULL);
    for (size_t i = 0; i < self->loop_count; i++)
        assay_executor_drop_unborn(self->executor, self->loop[i].born);
}

/* Until the next turn: the op in hand is another's. */
static void loop_beside(struct worker *self)
{
    uint64_t start = assay_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    assay_crash_beside(self->thread);
    for (unsigned n = 1; atomic_load_explicit(&self->turn, memory_order_acquire) == 0; n++) {
        if (n % LOOP_LOOKS == 0 && assay_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start > LOOP_NS)
            await_turn(self);
        else
            loop_once(self);
    }
    assay_crash_beside(0);
}

/* Once with the turn, so that it goes on when others do. */
static void run_loop(struct worker *self)
{
    struct assay_turns *turns = self->turns;
    uint64_t wanted = turns->chunk->events[turns->next].size;
    assay_turns_pass(turns);
    take_loop(self, wanted);
    if (self->loop_count == 0)
        return;
    loop_once(self);
    assay_executor_rejoin(turns->executor, self->executor); /* it is to forget their numbers too */
    give_turn(self, &turns->workers[0]);
    loop_beside(self);
}

/* ---- threads -------------------------------------------------------------------------------- */

/* The destructor of the thread key: what comes later than the thread's own end. */
static void at_thread_end(void *argument)
{
    struct worker *self = argument;
    self->rounds_left--;
    if (self->rounds > 0) {
        self->rounds--;
        (void)pthread_setspecific(self->turns->key, self);
        return;
    }
    assay_turns_serve(self->turns, self);
}

static void *work(void *argument)
{
    struct worker *self = argument;
    (void)assay_crash_thread(self->signal_stack, ASSAY_THREAD_SIGNAL_STACK_BYTES, NULL);
    atomic_fetch_add(&self->turns->shared->library_calls, assay_thread_library_calls());
    await_turn(self);
    assay_turns_serve(self->turns, self);
    return NULL;
}

static bool start(struct assay_turns *turns, uint16_t thread)
{
    if (thread == 0 || worker_of(turns, thread))
        return false;
    for (int i = 1; i < ASSAY_TURNS_THREADS; i++) {
        struct worker *worker = &turns->workers[i];
        if (worker->running)
            continue;
        worker->thread = thread;
        worker->leave = false;
        worker->rounds = 0;
        worker->rounds_left = PTHREAD_DESTRUCTOR_ITERATIONS;
        atomic_store(&worker->turn, 0);
        worker->running = assay_thread_start(&worker->handle, worker->stack, work, worker);
        return worker->running;
    }
    return false;
}

/* Gives the thread its last turn, and goes on when it is gone: until then its end is the op in
 * progress. */
static void join(struct worker *worker)
{
    struct assay_turns *turns = worker->turns;
    worker->leave = true;
    assay_turns_begin(turns);
    give_turn(&turns->workers[0], worker);
    pthread_join(worker->handle, NULL);
    worker->running = false;
    atomic_store(&turns->workers[0].turn, 1);
}

/* ---- one event ------------------------------------------------------------------------------ */

/* Ops in a row of one thread. */
static void run_ops(struct assay_turns *turns)
{
    const struct assay_event *events = turns->chunk->events;
    size_t from = turns->next, to = from + 1;
    while (to < turns->count && events[to].thread == events[from].thread &&
           events[to].process == events[from].process && !is_control(events[to].kind))
        to++;
    turns->next = to;
    assay_executor_run_part(turns->executor, turns->chunk->events, from, to, turns->base,
                            turns->sink);
}

/* Returns true where what self stands in ends. */
static bool change_context(struct worker *self, const struct assay_event *event)
{
    struct assay_turns *turns = self->turns;
    enum assay_context context = (enum assay_context)event->arg;
    bool main = self == &turns->workers[0];
    if (event->arg == ASSAY_CONTEXT_FIRST) {
        assay_turns_pass(turns);
        return false;
    }
    if (event->arg == ASSAY_CONTEXT_LOOP && !main) {
        run_loop(self);
        return false;
    }
    /* behind the last round no destructor is called: who waited for one would keep the turn */
    if (event->arg == ASSAY_CONTEXT_KEY && !main && turns->have_key && self->rounds_left > 0 &&
        pthread_setspecific(turns->key, self) == 0) {
        unsigned most = self->rounds_left - 1;
        self->rounds = event->size > most ? most : (unsigned)event->size;
        assay_turns_pass(turns);
        return true;
    }
    if (event->arg == ASSAY_CONTEXT_CROWDED && main) {
        assay_turns_begin(turns);
        assay_turns_crowd(event->size);
        assay_turns_pass(turns);
        return false;
    }
    if (main && event->arg < ASSAY_CONTEXT_COUNT)
        return assay_turns_context(turns, context);
    assay_turns_skip(turns);
    return false;
}

static bool step(struct worker *self, const struct assay_event *event)
{
    struct assay_turns *turns = self->turns;
    bool main = self == &turns->workers[0];
    switch (event->kind) {
    case ASSAY_OP_THREAD_START:
        if (main && event->arg <= UINT16_MAX && start(turns, (uint16_t)event->arg))
            assay_turns_pass(turns);
        else
            assay_turns_skip(turns);
        return false;
    case ASSAY_OP_THREAD_EXIT:
        if (main) {
            assay_turns_skip(turns);
            return false;
        }
        return true; /* passed when the thread is gone */
    case ASSAY_OP_CONTEXT: return change_context(self, event);
    case ASSAY_OP_FORK:
        if (main)
            return assay_turns_fork(turns);
        assay_turns_skip(turns);
        return false;
    case ASSAY_OP_EXIT:
        if (main)
            return assay_turns_exit(turns);
        assay_turns_skip(turns);
        return false;
    default: run_ops(turns); return false;
    }
}

/* Of another thread: its turn, or, where it is not running, nobody's. */
static void conduct(struct assay_turns *turns, const struct assay_event *event)
{
    struct worker *next = worker_of(turns, event->thread);
    if (!next) {
        assay_turns_skip(turns);
    } else if (event->kind == ASSAY_OP_THREAD_EXIT) {
        join(next);
        assay_turns_pass(turns);
    } else {
        give_turn(&turns->workers[0], next);
        await_turn(&turns->workers[0]);
    }
}

void assay_turns_serve(struct assay_turns *turns, struct worker *self)
{
    struct worker *main = &turns->workers[0];
    while (!turns->closing) {
        const struct assay_event *event = assay_turns_peek(turns);
        bool own = event && event->thread == self->thread;
        if (own && self != main && event->kind == ASSAY_OP_THREAD_EXIT && !self->leave)
            own = false; /* the main thread is to wait for it */
        if (own) {
            if (step(self, event))
                return;
        } else if (self != main) {
            give_turn(self, main);
            await_turn(self);
        } else if (event) {
            conduct(turns, event);
        } else {
            assay_turns_leave_child(turns);
            return;
        }
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

size_t assay_turns_bytes(void)
{
    return sizeof(struct assay_turns) +
           (size_t)ASSAY_TURNS_THREADS * (assay_executor_shared_bytes() + ASSAY_THREAD_STACK_BYTES +
                                          ASSAY_THREAD_SIGNAL_STACK_BYTES + 16384) +
           65536;
}

struct assay_turns *assay_turns_create(struct assay_arena *arena, struct assay_executor *base,
                                       struct assay_shared *shared)
{
    struct assay_turns *turns = assay_arena_take(arena, sizeof *turns, 64);
    if (!turns)
        return NULL;
    turns->shared = shared;
    turns->executor = base;
    turns->have_key = pthread_key_create(&turns->key, at_thread_end) == 0;
    for (int i = 0; i < ASSAY_TURNS_THREADS; i++) {
        struct worker *worker = &turns->workers[i];
        worker->turns = turns;
        worker->executor = assay_executor_reserve(arena);
        worker->stack = assay_arena_take(arena, ASSAY_THREAD_STACK_BYTES, 4096);
        worker->signal_stack = assay_arena_take(arena, ASSAY_THREAD_SIGNAL_STACK_BYTES, 4096);
        if (!worker->executor || !worker->stack || !worker->signal_stack)
            return NULL;
        assay_executor_share(worker->executor, base);
        assay_executor_touch_nothing(worker->executor); /* a loop is to call, not to look */
    }
    atomic_store(&turns->workers[0].turn, 1);
    assay_turns_fork_init(turns);
    return turns;
}

void assay_turns_run(struct assay_turns *turns, struct assay_chunk *chunk,
                     const struct assay_sink *sink)
{
    turns->chunk = chunk;
    turns->sink = sink;
    turns->next = 0;
    turns->count = chunk->count < ASSAY_CHUNK_EVENTS ? chunk->count : ASSAY_CHUNK_EVENTS;
    assay_turns_serve(turns, &turns->workers[0]);
    turns->base += turns->count;
}

void assay_turns_stop(struct assay_turns *turns)
{
    turns->closing = true;
    for (int i = 1; i < ASSAY_TURNS_THREADS; i++)
        if (turns->workers[i].running)
            join(&turns->workers[i]);
    turns->closing = false;
    turns->base = 0;
}

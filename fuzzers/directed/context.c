/* Where a call is made: the first of a process or thread, in handlers, in forked children, for
 * objects of threads that are gone.
 *
 * What is called in such a place was called before in an ordinary one, so that what goes wrong goes
 * wrong because of the place. */
#include "fuzzers/directed/experiments.h"
#include "fuzzers/directed/place.h"

enum { SMALL = 24, MEDIUM = 5000, LARGE = 300000, CONTENTS = 8, SLOTS = 18 };

static void context(struct assay_directed *d, enum assay_context where, uint64_t size)
{
    control(d, ASSAY_OP_CONTEXT, where, size);
}

/* From here on ops are the child's. */
static void fork_later(struct assay_directed *d, uint16_t child, uint64_t microseconds)
{
    control(d, ASSAY_OP_FORK, child, microseconds);
    d->process = child;
}

static void fork_child(struct assay_directed *d, uint16_t child)
{
    fork_later(d, child, 0);
}

static void end_child(struct assay_directed *d)
{
    control(d, ASSAY_OP_EXIT, 0, 0);
    d->process = 0;
}

/* One call of each kind, on objects of its own that it gives back, but for the first, which it
 * returns. */
static uint32_t some_of_each(struct assay_directed *d)
{
    static const struct assay_event calls[] = {
        {.kind = ASSAY_OP_MALLOC, .size = SMALL},
        {.kind = ASSAY_OP_CALLOC, .size = 40, .arg = 3},
        {.kind = ASSAY_OP_MALLOC, .size = MEDIUM},
        {.kind = ASSAY_OP_POSIX_MEMALIGN, .size = 100, .arg = 64},
        {.kind = ASSAY_OP_MALLOC, .size = LARGE},
        {.kind = ASSAY_OP_ALIGNED_ALLOC, .size = 512, .arg = 256},
    };
    enum { CALLS = sizeof calls / sizeof *calls };
    uint32_t objects[CALLS] = {0};
    for (unsigned i = 0; i < CALLS; i++)
        if (assay_directed_offers(d, calls[i].kind))
            objects[i] = assay_directed_bear(d, calls[i]);
    if (assay_directed_offers(d, ASSAY_OP_REALLOC))
        for (unsigned i = 0; i < CALLS; i += 2)
            objects[i] = assay_directed_realloc(d, objects[i], calls[i].size + 200);
    assay_directed_ask(d, objects[0]);
    for (unsigned i = 1; i < CALLS; i++) {
        if (objects[i] && i % 2)
            assay_directed_release_sized(d, objects[i], &calls[i]);
        else if (objects[i])
            assay_directed_release(d, objects[i]);
    }
    return objects[0];
}

static void some_and_back(struct assay_directed *d)
{
    assay_directed_release(d, some_of_each(d));
}

/* ---- first calls ---------------------------------------------------------------------------- */

static const struct assay_event first_calls[] = {
    {.kind = ASSAY_OP_MALLOC, .size = SMALL},
    {.kind = ASSAY_OP_MALLOC, .size = LARGE},
    {.kind = ASSAY_OP_MALLOC, .size = 0},
    {.kind = ASSAY_OP_CALLOC, .size = 8, .arg = 5},
    {.kind = ASSAY_OP_CALLOC, .size = 1000, .arg = 300},
    {.kind = ASSAY_OP_REALLOC, .place = ASSAY_PLACE_NULL, .size = SMALL},
    {.kind = ASSAY_OP_REALLOC, .place = ASSAY_PLACE_NULL, .size = LARGE},
    {.kind = ASSAY_OP_REALLOCARRAY, .place = ASSAY_PLACE_NULL, .size = 10, .arg = 7},
    {.kind = ASSAY_OP_FREE, .place = ASSAY_PLACE_NULL},
    {.kind = ASSAY_OP_FREE_SIZED, .place = ASSAY_PLACE_NULL, .size = SMALL},
    {.kind = ASSAY_OP_FREE_ALIGNED_SIZED, .place = ASSAY_PLACE_NULL, .arg = 16, .size = SMALL},
    {.kind = ASSAY_OP_ALIGNED_ALLOC, .size = 128, .arg = 64},
    {.kind = ASSAY_OP_ALIGNED_ALLOC, .size = 8192, .arg = 4096},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .size = 100, .arg = 64},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .size = LARGE, .arg = 4096},
    {.kind = ASSAY_OP_MEMALIGN, .size = 100, .arg = 128},
    {.kind = ASSAY_OP_VALLOC, .size = 100},
    {.kind = ASSAY_OP_PVALLOC, .size = 100},
    {.kind = ASSAY_OP_USABLE_SIZE, .place = ASSAY_PLACE_NULL},
    {.kind = ASSAY_OP_TRIM},
    {.kind = ASSAY_OP_REZALLOC, .place = ASSAY_PLACE_NULL, .size = SMALL},
    {.kind = ASSAY_OP_GOOD_SIZE, .size = SMALL},
    {.kind = ASSAY_OP_STATISTICS},
    {.kind = ASSAY_OP_HEAP_WALK},
};
enum { FIRST_CALLS = sizeof first_calls / sizeof *first_calls };

/* The call, and what an ordinary program does then. */
static void call_and_go_on(struct assay_directed *d, struct assay_event call, bool first)
{
    uint32_t object = 0;
    if (first)
        context(d, ASSAY_CONTEXT_FIRST, 0);
    else
        assay_directed_release(d, assay_directed_malloc(d, 100));
    if (assay_event_bears(&call))
        object = assay_directed_bear(d, call);
    else
        assay_directed_put(d, call);
    uint32_t other = assay_directed_malloc(d, SMALL);
    if (object)
        assay_directed_release(d, object);
    assay_directed_release(d, other);
}

/* In children of a process that never called: each call after another, then as the first. */
static void first_of_process(struct assay_directed *d)
{
    uint16_t child = 0;
    for (unsigned i = 0; i < FIRST_CALLS; i++)
        for (int first = 0; first < 2 && assay_directed_offers(d, first_calls[i].kind); first++) {
            fork_child(d, ++child);
            call_and_go_on(d, first_calls[i], first);
            end_child(d);
        }
}

static void first_of_thread(struct assay_directed *d)
{
    uint16_t thread = 0;
    for (unsigned i = 0; i < FIRST_CALLS; i++)
        for (int first = 0; first < 2 && assay_directed_offers(d, first_calls[i].kind); first++) {
            start_thread(d, ++thread);
            call_and_go_on(d, first_calls[i], first);
            end_thread(d);
        }
    /* and of another thread's object */
    static const uint64_t sizes[] = {SMALL, MEDIUM, LARGE};
    bool resizes = assay_directed_offers(d, ASSAY_OP_REALLOC);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int first = 0; first < 2; first++) {
            uint32_t freed = assay_directed_malloc(d, sizes[i]);
            uint32_t resized = assay_directed_malloc(d, sizes[i]);
            start_thread(d, ++thread);
            if (first)
                context(d, ASSAY_CONTEXT_FIRST, 0);
            else
                some_and_back(d);
            assay_directed_release(d, freed);
            end_thread(d);
            start_thread(d, ++thread);
            if (first)
                context(d, ASSAY_CONTEXT_FIRST, 0);
            else
                some_and_back(d);
            if (resizes)
                resized = assay_directed_realloc(d, resized, 2 * sizes[i]);
            assay_directed_release(d, resized);
            end_thread(d);
        }
}

/* In processes in which the C library has no room to spare: what an allocator registers at its
 * first call, or a thread's, makes the C library call it again; so does what a program registers
 * before that. */
static void first_in_crowd(struct assay_directed *d)
{
    static const uint64_t crowds[] = {0,
                                      ASSAY_CROWD_KEYS,
                                      ASSAY_CROWD_FORK_FULL,
                                      ASSAY_CROWD_FORK_BEYOND,
                                      ASSAY_CROWD_EXIT_BEYOND,
                                      ASSAY_CROWD_KEYS | ASSAY_CROWD_FORK_FULL};
    enum { CROWDS = sizeof crowds / sizeof *crowds };
    uint16_t child = 0, thread = 0;
    for (unsigned i = 0; i < FIRST_CALLS; i++)
        for (unsigned c = 0; c < CROWDS && assay_directed_offers(d, first_calls[i].kind); c++) {
            if (i % 8 != 0 && c > 1)
                continue; /* which one it is matters to few */
            fork_child(d, ++child);
            if (crowds[c])
                context(d, ASSAY_CONTEXT_CROWDED, crowds[c]);
            call_and_go_on(d, first_calls[i], crowds[c] > 0);
            start_thread(d, ++thread);
            call_and_go_on(d, first_calls[i], crowds[c] > 0);
            some_and_back(d);
            end_thread(d);
            some_and_back(d);
            end_child(d);
        }
}

ASSAY_DIRECTED_BUILDER(first_call)
{
    if (d->stage > 0)
        return false;
    if (argument == FIRST_IN_CROWD)
        first_in_crowd(d);
    else if (argument == FIRST_OF_PROCESS)
        first_of_process(d);
    else
        first_of_thread(d);
    return true;
}

/* ---- objects that cross threads ------------------------------------------------------------- */

static const uint64_t crossing_sizes[] = {16, SMALL, 100, 1000, MEDIUM, 40000, LARGE};
enum { SIZES = sizeof crossing_sizes / sizeof *crossing_sizes, EACH = 6 };

/* A thread's objects are freed and resized by others, while it lives or after it is gone; then the
 * threads go on with what memory there is. */
ASSAY_DIRECTED_BUILDER(crossing)
{
    uint32_t objects[SIZES * EACH];
    uint16_t thread = 0;
    bool resizes = assay_directed_offers(d, ASSAY_OP_REALLOC);
    if (d->stage > 0)
        return false;
    for (unsigned i = 0; i < SIZES; i++) { /* as it is without another thread */
        uint32_t object = assay_directed_malloc(d, crossing_sizes[i]);
        if (resizes)
            object = assay_directed_realloc(d, object, crossing_sizes[i] * 3 / 2);
        assay_directed_release(d, object);
    }
    for (int round = 0; round < 4; round++) {
        uint16_t owner = ++thread, other = ++thread;
        some_and_back(d);
        start_thread(d, owner);
        for (unsigned i = 0; i < SIZES * EACH; i++)
            objects[i] = assay_directed_malloc(d, crossing_sizes[i % SIZES]);
        if (argument == CROSSING_DEAD_OWNER)
            end_thread(d);
        start_thread(d, other);
        some_and_back(d);
        for (unsigned i = 0; i < SIZES * EACH; i++) {
            d->thread = i % 2 ? other : 0;
            if (i % 3 == 0 && resizes)
                objects[i] =
                    assay_directed_realloc(d, objects[i], crossing_sizes[i % SIZES] * 3 / 2);
            else if (i % 3 == 1)
                assay_directed_release(d, objects[i]);
        }
        d->thread = argument == CROSSING_DEAD_OWNER ? other : owner;
        for (unsigned i = 1; i < SIZES * EACH; i += 3)
            objects[i] = assay_directed_malloc(d, crossing_sizes[i % SIZES]);
        assay_directed_check(d, 0);
        d->thread = 0;
        for (unsigned i = 0; i < SIZES * EACH; i++)
            assay_directed_release(d, objects[i]);
        d->thread = other;
        end_thread(d);
        d->thread = owner;
        if (argument != CROSSING_DEAD_OWNER)
            end_thread(d);
        d->thread = 0;
    }
    return true;
}

/* ---- handlers ------------------------------------------------------------------------------- */

static void at_exit(struct assay_directed *d, enum assay_context where, uint16_t child)
{
    fork_child(d, child);
    some_and_back(d);
    uint32_t before = some_of_each(d), large = assay_directed_malloc(d, LARGE);
    context(d, where, 0);
    assay_directed_release(d, before);
    some_and_back(d);
    assay_directed_release(d, large);
    end_child(d);
}

static void at_thread_end(struct assay_directed *d, uint16_t thread, uint64_t round)
{
    uint32_t before = 0, between;
    start_thread(d, thread);
    if (round != 1) { /* else all its calls are made at its end */
        some_and_back(d);
        before = some_of_each(d);
    }
    context(d, ASSAY_CONTEXT_KEY, round);
    if (before)
        assay_directed_release(d, before);
    some_and_back(d);
    between = some_of_each(d);
    end_thread(d);
    some_and_back(d);
    assay_directed_release(d, between);
}

static void at_fork(struct assay_directed *d, uint16_t child)
{
    some_and_back(d);
    context(d, ASSAY_CONTEXT_PREPARE, 0);
    uint32_t before = some_of_each(d);
    fork_child(d, child);
    context(d, ASSAY_CONTEXT_CHILD, 0);
    assay_directed_release(d, before);
    some_and_back(d);
    context(d, ASSAY_CONTEXT_NONE, 0);
    some_and_back(d);
    end_child(d);
    context(d, ASSAY_CONTEXT_PARENT, 0);
    assay_directed_release(d, before);
    some_and_back(d);
    context(d, ASSAY_CONTEXT_NONE, 0);
    some_and_back(d);
}

ASSAY_DIRECTED_BUILDER(handlers)
{
    enum { ROUNDS = 4 };
    if (d->stage > 0)
        return false;
    some_and_back(d);
    if (argument == HANDLERS_EXIT) {
        at_exit(d, ASSAY_CONTEXT_ATEXIT, 1);
        at_exit(d, ASSAY_CONTEXT_ATEXIT_FIRST, 2);
    } else if (argument == HANDLERS_FORK) {
        for (uint16_t child = 1; child <= 2; child++)
            at_fork(d, child);
    } else {
        for (unsigned i = 0; i < 2 * ROUNDS; i++)
            at_thread_end(d, (uint16_t)(i + 1), i % ROUNDS);
    }
    return true;
}

/* ---- forks ---------------------------------------------------------------------------------- */

/* A thread that allocates and frees whenever others look. */
static void busy_thread(struct assay_directed *d, uint16_t thread)
{
    enum { BUSY = 6 };
    static const uint64_t mixed[BUSY] = {SMALL, 64, 1000, MEDIUM, SMALL, LARGE};
    static const uint64_t small[BUSY] = {SMALL, SMALL, 64, SMALL, 100, SMALL};
    const uint64_t *sizes = thread % 2 ? mixed : small; /* one is seldom out of the allocator */
    uint32_t objects[BUSY];
    start_thread(d, thread);
    some_and_back(d);
    context(d, ASSAY_CONTEXT_LOOP, 2 * BUSY);
    for (unsigned i = 0; i < BUSY; i++)
        objects[i] = assay_directed_malloc(d, sizes[(i + thread) % BUSY]);
    for (unsigned i = 0; i < BUSY; i++)
        assay_directed_release(d, objects[i]);
    d->thread = 0;
}

static const struct assay_event inherited[] = {
    {.kind = ASSAY_OP_MALLOC, .size = SMALL},
    {.kind = ASSAY_OP_MALLOC, .size = 1000},
    {.kind = ASSAY_OP_CALLOC, .arg = 5, .size = 40},
    {.kind = ASSAY_OP_MALLOC, .size = MEDIUM},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .arg = 64, .size = 100},
    {.kind = ASSAY_OP_MALLOC, .size = 40000},
    {.kind = ASSAY_OP_ALIGNED_ALLOC, .arg = 256, .size = 512},
    {.kind = ASSAY_OP_MALLOC, .size = LARGE},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .arg = 4096, .size = MEDIUM},
};
enum { INHERITED = sizeof inherited / sizeof *inherited, WAYS = 6 };

/* What a child does with an object of its parent. */
static void use_inherited(struct assay_directed *d, uint32_t object,
                          const struct assay_event *birth, unsigned way)
{
    bool resizes = assay_directed_offers(d, ASSAY_OP_REALLOC);
    uint64_t bytes = 0;
    assay_event_bytes(birth, &bytes);
    assay_directed_ask(d, object);
    switch (way) {
    case 0: assay_directed_release(d, object); return;
    case 1: assay_directed_release_sized(d, object, birth); return;
    case 2:
    case 3:
        if (resizes)
            object = assay_directed_realloc(d, object, way == 2 ? bytes * 2 + 200 : bytes / 2);
        assay_directed_release(d, object);
        return;
    default: return;
    }
}

/* The child writes to all that it inherited, gives back or resizes some of it, and takes other
 * memory; its parent's is as it was. */
static void fork_once(struct assay_directed *d, const uint32_t objects[SLOTS], uint16_t child,
                      uint64_t microseconds)
{
    assay_directed_check(d, 0);
    fork_later(d, child, microseconds);
    assay_directed_check(d, 0);
    for (unsigned i = 0; i < SLOTS; i++)
        if (objects[i])
            assay_directed_put(d, (struct assay_event){
                                      .kind = ASSAY_OP_WRITE, .object = objects[i], .size = SMALL});
    some_and_back(d);
    for (unsigned i = 0; i < SLOTS; i++)
        if (objects[i])
            use_inherited(d, objects[i], &inherited[i % INHERITED], (i + child) % WAYS);
    some_and_back(d);
    assay_directed_check(d, 0);
    end_child(d);
    assay_directed_check(d, 0);
    some_and_back(d);
}

ASSAY_DIRECTED_BUILDER(forks)
{
    enum { CHILDREN = 48, BUSY_THREADS = 2, LATER = 12, LATER_US = 50 };
    uint32_t objects[SLOTS];
    if (d->stage > 0)
        return false;
    if (argument == FORKS_OF_BUSY && d->profile->fork_with_threads == ASSAY_ANSWER_NO) {
        d->reason = "the profile promises nothing for forks of processes with threads";
        return false;
    }
    for (unsigned i = 0; i < SLOTS; i++)
        objects[i] = assay_directed_offers(d, inherited[i % INHERITED].kind)
                         ? assay_directed_bear(d, inherited[i % INHERITED])
                         : 0;
    some_and_back(d);
    if (argument == FORKS_OF_BUSY)
        for (unsigned thread = 1; thread <= BUSY_THREADS; thread++)
            busy_thread(d, (uint16_t)thread);
    uint16_t children = argument == FORKS_OF_BUSY ? CHILDREN : WAYS;
    for (uint16_t child = 1; child <= children; child++)
        fork_once(d, objects, child, argument == FORKS_OF_BUSY ? LATER_US * (child % LATER) : 0);
    for (unsigned i = 0; i < SLOTS; i++)
        if (objects[i])
            assay_directed_release(d, objects[i]);
    for (unsigned thread = 1; thread <= BUSY_THREADS && argument == FORKS_OF_BUSY; thread++) {
        d->thread = (uint16_t)thread;
        end_thread(d);
    }
    return true;
}

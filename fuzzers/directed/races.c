/* Threads that call at the same time. A pass is some ops of each thread, on objects of its own or
 * of another's, in sizes that all of them share; all passes are the same, and all of a pass is
 * freed in it. So what is lost shows as growth, and what shows at random is made small as a pass
 * is.
 *
 * The ops of a thread follow one another, those of two do not: nothing is between their calls but
 * what the program itself waits for, an object that another thread bears or gives up. */
#include "fuzzers/directed/experiments.h"

enum {
    THREADS = 4,
    ROUNDS = 14, /* of a pass: each thread makes an op of each */
    SLOTS = 6,   /* of a thread */
    SIZES = 3,   /* that a pass draws at most */
    STAGES = 4,
    STAGES_OF_SMALL = 8,
    PASSES_OF_STAGE = 128,
    PASSES_OF_ENDS = 128, /* a thread takes longer than a call */
    LOST_LOOK_LOG2 = 10,  /* after so many passes who stands still is done */
    LOST_LOG2 = 13
};

static bool promised(struct assay_directed *d)
{
    if (d->profile->max_threads == 0 || d->profile->max_threads >= THREADS)
        return true;
    d->reason = "the profile does not promise that so many threads may call at a time";
    return false;
}

struct pass {
    struct assay_directed *d;
    struct assay_random draw;
    unsigned kind;
    unsigned count; /* of sizes */
    uint64_t sizes[SIZES];
    uint32_t slots[THREADS][SLOTS];
};

static uint64_t size_of(struct assay_random *draw, unsigned kind)
{
    switch (kind) {
    case RACES_LARGE: return (20 << 10) + assay_random_below(draw, 300 << 10);
    case RACES_RESIZED: return 16 + assay_random_below(draw, 2000);
    case RACES_MIXED: return 1 + assay_random_below(draw, 64u << assay_random_below(draw, 12));
    case RACES_LOST:
    case RACES_LOST_MANY: return 1000;
    case RACES_MEDIUM: return 500 + assay_random_below(draw, 12000);
    default: return 1 + assay_random_below(draw, 16u << assay_random_below(draw, 6));
    }
}

static bool by_others(unsigned kind)
{
    return kind == RACES_REMOTE || kind == RACES_LOST;
}

static bool threads_end(unsigned kind)
{
    return kind == RACES_ENDS || kind == RACES_TOGETHER;
}

static bool is_lost(unsigned kind)
{
    return kind == RACES_LOST || kind == RACES_LOST_MANY;
}

/* Half of the threads take, the others free: what a cache has too much of goes to one that has too
 * little. */
static uint16_t releases(const struct pass *pass, unsigned thread)
{
    return (uint16_t)(by_others(pass->kind) ? thread / 2 * 2 + 1 : thread);
}

static uint16_t takes(const struct pass *pass, unsigned thread)
{
    return (uint16_t)(by_others(pass->kind) ? thread / 2 * 2 : thread);
}

static uint32_t put_born(struct pass *pass)
{
    struct assay_directed *d = pass->d;
    uint64_t size = pass->sizes[assay_random_below(&pass->draw, pass->count)];
    uint64_t which = is_lost(pass->kind) ? 8 : assay_random_below(&pass->draw, 8);
    if (which < 2 && assay_directed_offers(d, ASSAY_OP_CALLOC))
        return assay_directed_call(d, ASSAY_OP_CALLOC, 0, 1, size);
    if (which == 2 && assay_directed_offers(d, ASSAY_OP_POSIX_MEMALIGN))
        return assay_directed_call(d, ASSAY_OP_POSIX_MEMALIGN, 0, 64, size);
    return assay_directed_malloc(d, size);
}

static void put_op(struct pass *pass, unsigned thread)
{
    struct assay_directed *d = pass->d;
    uint32_t *slot = &pass->slots[thread][assay_random_below(&pass->draw, SLOTS)];
    bool resizes = pass->kind == RACES_RESIZED && assay_directed_offers(d, ASSAY_OP_REALLOC);
    d->thread = takes(pass, thread);
    if (*slot == 0) {
        *slot = put_born(pass);
        return;
    }
    d->thread = releases(pass, thread);
    if (resizes && assay_random_below(&pass->draw, 3) != 0) {
        uint64_t size = pass->sizes[assay_random_below(&pass->draw, pass->count)];
        *slot = assay_directed_realloc(d, *slot, size);
        return;
    }
    assay_directed_release(d, *slot);
    *slot = 0;
}

static void release_all(struct pass *pass, unsigned thread)
{
    pass->d->thread = releases(pass, thread);
    for (unsigned i = 0; i < SLOTS; i++) {
        if (pass->slots[thread][i])
            assay_directed_release(pass->d, pass->slots[thread][i]);
        pass->slots[thread][i] = 0;
    }
}

/* Threads come, make some ops and end, the next one before the last is gone, while the main thread
 * goes on. */
static void put_ends(struct pass *pass)
{
    enum { TOGETHER = 5, ALL = ROUNDS * (THREADS - 1) };
    struct assay_directed *d = pass->d;
    for (unsigned round = 0; round < ALL; round++)
        for (unsigned t = 0; t < THREADS; t++) {
            unsigned first = t < 2 ? 0 : ROUNDS * (t - 1) - TOGETHER;
            unsigned last = t == 0 ? ALL : ROUNDS * t;
            if (round < first || round >= last)
                continue;
            d->thread = 0;
            if (t > 0 && round == first)
                assay_directed_put(d,
                                   (struct assay_event){.kind = ASSAY_OP_THREAD_START, .arg = t});
            put_op(pass, t);
            if (t == 0 || round != last - 1)
                continue;
            release_all(pass, t);
            assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_THREAD_EXIT});
        }
}

/* Threads begin at once, make some ops and end at once; the main thread waits. */
static void put_together(struct pass *pass)
{
    enum { OPS = 6 };
    struct assay_directed *d = pass->d;
    d->thread = 0;
    for (unsigned t = 1; t < THREADS; t++)
        assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_THREAD_START, .arg = t});
    for (unsigned round = 0; round < OPS; round++)
        for (unsigned t = 1; t < THREADS; t++)
            put_op(pass, t);
    for (unsigned t = 1; t < THREADS; t++)
        release_all(pass, t);
    for (unsigned t = 1; t < THREADS; t++) {
        d->thread = (uint16_t)t;
        assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_THREAD_EXIT});
    }
}

/* All that one took the others give back, side by side. */
static void put_lost_many(struct pass *pass)
{
    for (unsigned i = 0; i < SLOTS; i++)
        for (unsigned t = 0; t < THREADS; t++) {
            pass->d->thread = 0;
            pass->slots[t][i] = put_born(pass);
        }
    for (unsigned i = 0; i < SLOTS; i++)
        for (unsigned t = 0; t < THREADS; t++) {
            pass->d->thread = (uint16_t)(1 + (i * THREADS + t) % (THREADS - 1));
            assay_directed_release(pass->d, pass->slots[t][i]);
            pass->slots[t][i] = 0;
        }
}

static void put_pass(struct assay_directed *d, unsigned kind)
{
    struct pass pass = {.d = d, .draw = d->draw, .kind = kind};
    bool many = kind == RACES_RESIZED || kind == RACES_MIXED;
    pass.count = many ? SIZES : 1 + (unsigned)assay_random_below(&pass.draw, SIZES);
    if (is_lost(kind))
        pass.count = 1; /* as little may be lost then (C31) */
    for (unsigned i = 0; i < SIZES; i++)
        pass.sizes[i] = size_of(&pass.draw, kind == RACES_MIXED && i == 0 ? RACES_LARGE : kind);
    if (kind == RACES_ENDS)
        put_ends(&pass);
    else if (kind == RACES_TOGETHER)
        put_together(&pass);
    else if (kind == RACES_LOST_MANY)
        put_lost_many(&pass);
    bool mixes = !threads_end(kind) && kind != RACES_LOST_MANY;
    for (unsigned round = 0; round < ROUNDS && mixes; round++)
        for (unsigned t = 0; t < THREADS; t++)
            put_op(&pass, t);
    for (unsigned t = 0; t < THREADS; t++)
        release_all(&pass, t);
    d->thread = 0;
}

/* All are there at once, and each has memory of its own: tables of threads may be too short. */
ASSAY_DIRECTED_BUILDER(threads_many)
{
    enum { MANY = 200, EACH = 3 };
    static const uint64_t sizes[EACH] = {40, 1000, 20000};
    uint32_t objects[MANY][EACH];
    if (d->stage > 0)
        return false;
    if (d->profile->max_threads != 0 && d->profile->max_threads < argument) {
        d->reason = "the profile does not promise that so many threads may call at a time";
        return false;
    }
    for (unsigned i = 0; i < EACH; i++)
        for (unsigned t = 0; t < MANY; t++) {
            d->thread = (uint16_t)t;
            objects[t][i] = assay_directed_malloc(d, sizes[i]);
        }
    for (unsigned t = 0; t < MANY; t++)
        for (unsigned i = 0; i < EACH; i++) {
            d->thread = (uint16_t)t;
            assay_directed_release(d, objects[t][i]);
        }
    d->thread = 0;
    return true;
}

/* Each stage is a pass of its own, again and again. */
ASSAY_DIRECTED_BUILDER(races)
{
    unsigned passes = threads_end(argument) ? PASSES_OF_ENDS : PASSES_OF_STAGE;
    if (d->stage == (argument == RACES_SMALL ? STAGES_OF_SMALL : STAGES) || !promised(d))
        return false;
    (void)assay_random_next(&d->draw); /* another pass */
    for (unsigned pass = 0; pass < passes; pass++)
        put_pass(d, argument);
    return true;
}

/* What each takes stays until it has taken all of it; another gives it back. */
static void put_taken(struct pass *pass)
{
    enum { EACH = 4 };
    uint32_t objects[EACH][THREADS];
    for (unsigned i = 0; i < EACH; i++)
        for (unsigned t = 0; t < THREADS; t++) {
            pass->d->thread = (uint16_t)t;
            objects[i][t] = put_born(pass);
        }
    for (unsigned i = 0; i < EACH; i++)
        for (unsigned t = 0; t < THREADS; t++) {
            pass->d->thread = (uint16_t)((t + 1) % THREADS);
            assay_directed_release(pass->d, objects[i][t]);
        }
    pass->d->thread = 0;
}

/* Who sets the allocator up is in there while others call. All is taken twice, so that what used
 * memory brings along is seen in order as well and not for a race. */
ASSAY_DIRECTED_BUILDER(races_first)
{
    enum { PROCESSES = 32 };
    (void)argument;
    if (d->stage == PROCESSES || !promised(d))
        return false;
    (void)assay_random_next(&d->draw);
    struct pass pass = {.d = d, .draw = d->draw, .kind = RACES_SMALL, .count = 1};
    pass.sizes[0] = size_of(&pass.draw, d->stage % 2 ? RACES_MIXED : RACES_SMALL);
    const struct assay_random draw = pass.draw;
    put_taken(&pass);
    pass.draw = draw;
    put_taken(&pass);
    return true;
}

/* Reads what the last stage measured; true if more passes would tell more, and there is room for
 * them. */
static bool go_on(struct assay_directed *d)
{
    static const uint64_t slack[ASSAY_MEASURES] = {[ASSAY_MEASURE_RESIDENT] = 32 * 1024,
                                                   [ASSAY_MEASURE_MAPPINGS] = 8,
                                                   [ASSAY_MEASURE_SPACE] = 1 << 20};
    unsigned k = d->stage - 1;
    bool grown = false;
    for (unsigned what = 0; what < ASSAY_MEASURES; what++) {
        uint64_t now = d->events[d->n - ASSAY_MEASURES + what].value;
        grown |= now > d->note[what] + slack[what];
        d->note[what] = now;
    }
    return k < LOST_LOG2 && d->objects <= ASSAY_DIRECTED_MAX_OBJECTS / 2 &&
           (k <= LOST_LOOK_LOG2 || grown);
}

/* The same, with a look at the memory now and then. */
ASSAY_DIRECTED_BUILDER(races_measured)
{
    unsigned k = d->stage;
    if (!promised(d) || (k > 0 && !go_on(d)))
        return false;
    for (unsigned pass = k ? 1u << (k - 1) : 0; pass < 1u << k; pass++)
        put_pass(d, argument);
    for (unsigned what = 0; what < ASSAY_MEASURES; what++)
        assay_directed_put(d, (struct assay_event){
                                  .kind = ASSAY_OP_MEASURE, .arg = what, .size = UINT64_C(1) << k});
    return true;
}

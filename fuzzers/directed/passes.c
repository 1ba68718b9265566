/* C31: the same pass again and again, everything freed at its end. C29: passes of threads. */
#include "fuzzers/directed/experiments.h"

enum {
    SMALL = 24,
    SMALL_ALONE = 96, /* of a pass of small objects alone, where little is lost in each pass */
    MEDIUM = 8,
    LARGE = 4,
    LARGE_ALONE = 16,
    RESIZED = 4,
    ALIGNED = 3,
    ALIGNED_LARGE = 12,
    ALIGNED_ALONE = 36,
    RESIZED_ALONE = 22, /* with what they become, 2^17 in 2^10 passes */
    MOST = SMALL_ALONE + MEDIUM + LARGE_ALONE + ALIGNED_LARGE,
    LOOK_LOG2 = 6,       /* after so many passes, as a power of two, who stands still is done */
    LOOK_SMALL_LOG2 = 8, /* small losses show later */
    LOOK_CHURN_LOG2 = 5, /* passes of threads last longer */
    LAST_LOG2 = 11,
    TURNED = 4096, /* objects in a pass of theirs; */
    SLOW_LOG2 = 4, /* after so many who is too slow for all of them is done */
    SLACK = 32 * 1024,
    SPACE_SLACK = 1 << 20,
    CHURN_SMALL_MOST = 1024,
    MOST_RESIDENT = 512 << 20
};

static uint32_t put_zeroed(struct assay_directed *d, uint64_t size)
{
    enum assay_op kind =
        !assay_directed_offers(d, ASSAY_OP_CALLOC) ? ASSAY_OP_MALLOC : ASSAY_OP_CALLOC;
    return assay_directed_bear(d,
                               (struct assay_event){.kind = (uint8_t)kind, .size = size, .arg = 1});
}

static uint32_t put_aligned(struct assay_directed *d, uint64_t alignment, uint64_t size)
{
    return assay_directed_bear(
        d, (struct assay_event){.kind = ASSAY_OP_POSIX_MEMALIGN, .size = size, .arg = alignment});
}

/* Sizes of a pass follow from the seed; all passes are the same. */
static void put_pass(struct assay_directed *d, unsigned kind)
{
    struct assay_random draw = d->draw;
    uint32_t objects[MOST];
    bool aligns = assay_directed_offers(d, ASSAY_OP_POSIX_MEMALIGN);
    bool resizes = assay_directed_offers(d, ASSAY_OP_REALLOC);
    unsigned n = 0, small = kind == PASSES_SMALL ? SMALL_ALONE : SMALL;
    unsigned large = kind == PASSES_LARGE ? LARGE_ALONE : kind == PASSES_MIXED ? LARGE : 0;
    for (unsigned i = 0; i < small; i++)
        objects[n++] = assay_directed_malloc(d, 1 + assay_random_below(&draw, 64u << i % 8));
    for (unsigned i = 0; i < MEDIUM && kind == PASSES_MIXED; i++)
        objects[n++] = put_zeroed(d, 8192 + assay_random_below(&draw, 1 << 17));
    for (unsigned i = 0; i < large; i++)
        objects[n++] = assay_directed_malloc(d, (1 << 18) + assay_random_below(&draw, 3 << 18));
    unsigned aligned = kind == PASSES_LARGE ? ALIGNED_LARGE : kind == PASSES_MIXED ? ALIGNED : 0;
    for (unsigned i = 0; i < aligned && aligns; i++)
        objects[n++] =
            put_aligned(d, UINT64_C(256) << 4 * (i % ALIGNED),
                        100 + assay_random_below(&draw, UINT64_C(1) << (12 + 3 * (i % ALIGNED))));
    for (unsigned i = 0; i < RESIZED && resizes; i++) {
        unsigned at = (unsigned)assay_random_below(&draw, n);
        objects[at] =
            assay_directed_realloc(d, objects[at], 1 + assay_random_below(&draw, 256u << 3 * i));
    }
    for (unsigned i = 0; i < n; i++) /* from both ends, so that neighbours merge either way */
        assay_directed_release(d, objects[i % 2 ? n - 1 - i / 2 : i / 2]);
}

/* Objects of one kind of calls alone: what is lost of them is much of what was asked for. */
static void put_pass_aligned(struct assay_directed *d)
{
    static const enum assay_op kinds[] = {ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_ALIGNED_ALLOC,
                                          ASSAY_OP_MEMALIGN, ASSAY_OP_VALLOC};
    struct assay_random draw = d->draw;
    uint32_t objects[ALIGNED_ALONE], n = 0;
    for (unsigned i = 0; i < ALIGNED_ALONE; i++) {
        enum assay_op kind = kinds[i % (sizeof kinds / sizeof *kinds)];
        uint64_t alignment = kind == ASSAY_OP_VALLOC ? 0 : UINT64_C(16) << i % 13;
        uint64_t size = 1 + assay_random_below(&draw, i % 3 ? 300 : 9000);
        if (kind == ASSAY_OP_ALIGNED_ALLOC)
            size = (size + alignment - 1) & -alignment;
        uint32_t object = assay_directed_call(d, kind, 0, alignment, size);
        if (object)
            objects[n++] = object;
    }
    for (unsigned i = 0; i < n; i++)
        assay_directed_release(d, objects[i % 2 ? n - 1 - i / 2 : i / 2]);
}

static void put_pass_resized(struct assay_directed *d)
{
    struct assay_random draw = d->draw;
    uint32_t objects[RESIZED_ALONE];
    for (unsigned i = 0; i < RESIZED_ALONE; i++)
        objects[i] = assay_directed_malloc(d, 1 + assay_random_below(&draw, i % 8 ? 100 : 5000));
    for (unsigned turn = 0; turn < 4; turn++)
        for (unsigned i = 0; i < RESIZED_ALONE; i++) {
            uint64_t most = turn == 2 ? 64
                            : i % 8   ? UINT64_C(200) << 2 * turn
                                      : UINT64_C(20000) << turn;
            objects[i] = assay_directed_realloc(d, objects[i], 1 + assay_random_below(&draw, most));
        }
    /* through all that an allocator may treat in its own way, upwards */
    static const uint64_t up[] = {5000, 40000, 150000, 300000};
    for (unsigned turn = 0; turn < sizeof up / sizeof *up; turn++)
        for (unsigned i = 0; i < RESIZED_ALONE; i += RESIZED_ALONE / 2)
            objects[i] = assay_directed_realloc(d, objects[i],
                                                up[turn] + assay_random_below(&draw, up[turn] / 8));
    /* who may keep what is resized to nothing is not asked; what such a resize gives may be nothing
     */
    bool to_nothing = d->profile->realloc_zero != ASSAY_ZERO_RESIZE_UNKNOWN;
    for (unsigned i = 0; i < RESIZED_ALONE; i++)
        if (i % 4 || !to_nothing)
            assay_directed_release(d, objects[i]);
        else
            assay_directed_release(d, assay_directed_realloc(d, objects[i], 0));
}

/* Objects of one size: what is freed fits what comes next, so who loses nothing grows by nothing,
 * or by a word or two for each while a queue's table fills. So many that a queue which takes one in
 * some hundreds of them has been full for long. */
static void put_pass_equal(struct assay_directed *d)
{
    enum { BYTES = 8000 };
    assay_directed_put(
        d, (struct assay_event){.kind = ASSAY_OP_TURNOVER, .size = BYTES, .arg = TURNED});
}

/* 1 to 64 MiB, one of each doubling, where an allocator may have caches and arenas of their own;
 * and small ones, by which one that hands nothing out twice is told. */
static void put_pass_huge(struct assay_directed *d)
{
    enum { LEAST_LOG2 = 20, MOST_LOG2 = 26, HUGE_ONES = MOST_LOG2 - LEAST_LOG2, SMALL_TOO = 8 };
    struct assay_random draw = d->draw;
    uint32_t objects[HUGE_ONES + 3 + SMALL_TOO], n = 0;
    for (unsigned i = 0; i < SMALL_TOO; i++)
        objects[n++] = assay_directed_malloc(d, 100);
    for (unsigned log2 = LEAST_LOG2; log2 < MOST_LOG2; log2++)
        objects[n++] = assay_directed_malloc(d, (UINT64_C(1) << log2) +
                                                    assay_random_below(&draw, UINT64_C(1) << log2));
    objects[n++] = put_zeroed(d, (1 << 20) + assay_random_below(&draw, 3 << 20));
    if (assay_directed_offers(d, ASSAY_OP_POSIX_MEMALIGN))
        objects[n++] = put_aligned(d, 2 << 20, (1 << 20) + assay_random_below(&draw, 3 << 20));
    if (assay_directed_offers(d, ASSAY_OP_REALLOC))
        objects[n++] = assay_directed_realloc(d, assay_directed_malloc(d, 1 << 20),
                                              (2 << 20) + assay_random_below(&draw, 4 << 20));
    for (unsigned i = 0; i < n; i++)
        assay_directed_release(d, objects[i % 2 ? n - 1 - i / 2 : i / 2]);
}

/* Each function is asked for more than the address space has, which most find out when they map it:
 * what they had taken by then is lost where the way back forgets it. */
static void put_pass_refused(struct assay_directed *d)
{
    enum { SOME = 8, BYTES = 100 };
    const uint64_t beyond = UINT64_C(1) << 48;
    static const enum assay_op kinds[] = {ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_ALIGNED_ALLOC,
                                          ASSAY_OP_MEMALIGN, ASSAY_OP_VALLOC, ASSAY_OP_PVALLOC};
    uint32_t objects[SOME];
    for (unsigned i = 0; i < SOME; i++)
        objects[i] = assay_directed_malloc(d, BYTES);
    (void)assay_directed_malloc(d, beyond);
    (void)put_zeroed(d, beyond);
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (unsigned log2 = 6; log2 <= 16; log2 += 5) {
            bool takes_one = kinds[i] != ASSAY_OP_VALLOC && kinds[i] != ASSAY_OP_PVALLOC;
            (void)assay_directed_call(d, kinds[i], 0, takes_one ? UINT64_C(1) << log2 : 0, beyond);
        }
    if (assay_directed_offers(d, ASSAY_OP_REALLOC))
        (void)assay_directed_realloc(d, objects[0], beyond);
    for (unsigned i = 0; i < SOME; i++)
        assay_directed_release(d, objects[i]);
}

/* What cannot be protected, or given back, is still there. Large objects alone come and go while
 * calls fail; what is behind the pass is measured when they fail no longer. */
static void put_pass_unadvised(struct assay_directed *d)
{
    enum { SMALL_TOO = 8, LARGE_TOO = 8 };
    struct assay_random draw = d->draw;
    uint32_t objects[SMALL_TOO + LARGE_TOO];
    for (unsigned i = 0; i < SMALL_TOO; i++)
        objects[LARGE_TOO + i] = assay_directed_malloc(d, 100);
    assay_directed_put(d, assay_mapping_op(CALLS_MPROTECT | CALLS_MADVISE, 1, 0));
    for (unsigned i = 0; i < LARGE_TOO; i++)
        objects[i] = assay_directed_malloc(d, (1 << 16) + assay_random_below(&draw, 1 << 18));
    for (unsigned i = 0; i < SMALL_TOO + LARGE_TOO; i++)
        assay_directed_release(d, objects[i]);
    assay_directed_put(d, assay_mapping_op(0, 0, 0));
}

static void put_pass_of(struct assay_directed *d, unsigned kind)
{
    switch (kind) {
    case PASSES_EQUAL: put_pass_equal(d); break;
    case PASSES_ALIGNED: put_pass_aligned(d); break;
    case PASSES_RESIZED: put_pass_resized(d); break;
    case PASSES_HUGE: put_pass_huge(d); break;
    case PASSES_REFUSED: put_pass_refused(d); break;
    case PASSES_UNADVISED: put_pass_unadvised(d); break;
    default: put_pass(d, kind);
    }
}

static uint64_t grown(const struct assay_directed *d, unsigned what, unsigned k)
{
    uint64_t now = d->note[what * 16 + k], before = d->note[what * 16 + k - 1];
    return now > before ? now - before : 0;
}

enum { CHURN_THREADS = 4, CHURN_EACH = 16 };

/* What the main thread frees it gets again, unless it is kept back: then so is what threads free.
 * Of each size it asks for half as many as they do: of none is most at new places because of them.
 */
static void put_beside_churn(struct assay_directed *d, uint64_t sizes[CHURN_THREADS][CHURN_EACH])
{
    uint32_t objects[CHURN_THREADS / 2 * CHURN_EACH];
    unsigned n = 0;
    for (unsigned t = 0; t < CHURN_THREADS; t += 2)
        for (unsigned i = 0; i < CHURN_EACH; i++)
            if (sizes[t][i] <= CHURN_SMALL_MOST)
                objects[n++] = assay_directed_malloc(d, sizes[t][i]);
    while (n-- > 0)
        assay_directed_release(d, objects[n]);
}

/* Some threads, side by side or one after the other, and what they leave is freed. */
static void put_churn(struct assay_directed *d, unsigned kind)
{
    struct assay_random draw = d->draw;
    uint32_t objects[CHURN_THREADS][CHURN_EACH];
    uint64_t sizes[CHURN_THREADS][CHURN_EACH];
    /* what a thread leaves is more than a queue of so small objects may hold */
    bool small = kind == CHURN_SMALL || kind == CHURN_LATE, own = kind != CHURN_LEFT;
    for (unsigned t = 0; t < CHURN_THREADS; t++)
        for (unsigned i = 0; i < CHURN_EACH; i++) {
            uint64_t most = small ? 64 : i == 0 ? 1 << 18 : i < 4 ? 1 << 15 : 64u << i % 5;
            sizes[t][i] = 1 + assay_random_below(&draw, most);
        }
    put_beside_churn(d, sizes);
    for (unsigned t = 0; t < CHURN_THREADS; t++) {
        d->thread = 0;
        assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_THREAD_START, .arg = t + 1u});
        d->thread = (uint16_t)(t + 1);
        for (unsigned i = 0; i < CHURN_EACH; i++)
            objects[t][i] = assay_directed_malloc(d, sizes[t][i]);
        for (unsigned i = 0; i < CHURN_EACH && kind != CHURN_LATE; i++)
            if (own || i % 2 != 0)
                assay_directed_release(d, objects[t][i]);
        if (kind == CHURN_LATE) {
            assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_CONTEXT,
                                                       .arg = ASSAY_CONTEXT_KEY,
                                                       .size = t % 2});
            for (unsigned i = 0; i < CHURN_EACH / 2; i++) {
                assay_directed_release(d, objects[t][i]);
                objects[t][i] = assay_directed_malloc(d, 1 + assay_random_below(&draw, 64));
            }
        }
        if (t % 2) /* else it lives beside the next */
            assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_THREAD_EXIT});
    }
    for (unsigned t = 0; t < CHURN_THREADS; t += 2) {
        d->thread = (uint16_t)(t + 1);
        assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_THREAD_EXIT});
    }
    d->thread = 0;
    if (own && kind != CHURN_LATE)
        return;
    /* by a thread that goes as well: in the cache of one that stays all of it would come together
     */
    assay_directed_put(
        d, (struct assay_event){.kind = ASSAY_OP_THREAD_START, .arg = CHURN_THREADS + 1});
    d->thread = CHURN_THREADS + 1;
    for (unsigned t = 0; t < CHURN_THREADS; t++)
        for (unsigned i = 0; i < CHURN_EACH; i += kind == CHURN_LATE ? 1 : 2)
            assay_directed_release(d, objects[t][i]);
    assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_THREAD_EXIT});
    d->thread = 0;
}

/* Reads what the last stage measured; true if more passes would tell more. */
static bool go_on(struct assay_directed *d, unsigned look, uint64_t slack)
{
    enum { BURST_LOG2 = 2 };   /* who loses much at once is judged by then */
    unsigned k = d->stage - 1; /* 2^k passes are behind */
    for (unsigned what = 0; what < ASSAY_MEASURES; what++)
        d->note[what * 16 + k] = d->events[d->n - ASSAY_MEASURES + what].value;
    if (k < look)
        return true;
    if (k == LAST_LOG2 || d->objects > ASSAY_DIRECTED_MAX_OBJECTS / 2)
        return false;
    if (d->note[k] > MOST_RESIDENT && k >= BURST_LOG2)
        return false;
    return grown(d, ASSAY_MEASURE_RESIDENT, k) > slack || grown(d, ASSAY_MEASURE_MAPPINGS, k) > 8 ||
           grown(d, ASSAY_MEASURE_SPACE, k) > SPACE_SLACK;
}

/* True if what the last stage had turned over came to its end by its time, not by its number. */
static bool too_slow(const struct assay_directed *d)
{
    uint64_t turned = 0, wanted = 0;
    for (size_t i = 0; i < d->n; i++)
        if (d->events[i].kind == ASSAY_OP_TURNOVER) {
            turned += d->events[i].value;
            wanted += d->events[i].arg;
        }
    return turned < wanted / 2;
}

static void measure(struct assay_directed *d, unsigned k)
{
    for (unsigned what = 0; what < ASSAY_MEASURES; what++)
        assay_directed_put(d, (struct assay_event){
                                  .kind = ASSAY_OP_MEASURE, .arg = what, .size = UINT64_C(1) << k});
}

ASSAY_DIRECTED_BUILDER(passes)
{
    unsigned k = d->stage;
    bool little = argument == PASSES_SMALL || argument == PASSES_RESIZED ||
                  argument == PASSES_EQUAL || argument == PASSES_REFUSED; /* of memory in a pass */
    if (k == 0 && argument == PASSES_RESIZED && lacks(d, ASSAY_OP_REALLOC))
        return false;
    if (k == 0 && argument == PASSES_ALIGNED && lacks(d, ASSAY_OP_POSIX_MEMALIGN) &&
        lacks(d, ASSAY_OP_ALIGNED_ALLOC) && lacks(d, ASSAY_OP_MEMALIGN))
        return false;
    d->reason = NULL;
    if (k > 0 && !go_on(d, little ? LOOK_SMALL_LOG2 : LOOK_LOG2, little ? SLACK / 4 : SLACK))
        return false;
    if (k > SLOW_LOG2 && argument == PASSES_EQUAL && too_slow(d)) {
        d->reason = "the subject is too slow for so many objects";
        return false;
    }
    for (unsigned pass = k ? 1u << (k - 1) : 0; pass < 1u << k; pass++)
        put_pass_of(d, argument);
    measure(d, k);
    return true;
}

ASSAY_DIRECTED_BUILDER(churn)
{
    unsigned k = d->stage;
    if (k > 0 && !go_on(d, LOOK_CHURN_LOG2, SLACK))
        return false;
    for (unsigned pass = k ? 1u << (k - 1) : 0; pass < 1u << k; pass++)
        put_churn(d, argument);
    measure(d, k);
    return true;
}

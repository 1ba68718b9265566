/* What must be refused and what may be, by each function; alignments; what is offered of the heap.
 */
#include "fuzzers/directed/boundary.h"
#include "fuzzers/directed/experiments.h"

enum { PAGE = 4096, LARGEST_ALIGNMENT_LOG2 = 20 };

static void bear_and_release(struct assay_directed *d, enum assay_op kind, uint64_t arg,
                             uint64_t size)
{
    uint32_t object = assay_directed_call(d, kind, 0, arg, size);
    if (object)
        assay_directed_release(d, object);
}

/* Freed objects of the classes into which a sum could wrap. */
static void put_freed(struct assay_directed *d)
{
    static const uint16_t sizes[] = {1, 24, 40, 64, 100, 200, 500, 1000, 2000, 4000};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (unsigned i = 0; i < SIZES; i++)
        assay_directed_malloc(d, sizes[i]);
    for (uint32_t i = 0; i < SIZES; i++)
        assay_directed_release(d, d->objects - SIZES + 1 + i);
}

/* ---- sizes ---------------------------------------------------------------------------------- */

/* All sizes beyond, by one function; a live object is there to be resized and looked at. */
static void put_beyond(struct assay_directed *d, enum assay_op kind, uint64_t arg)
{
    enum { FREED_EVERY = 256 };
    uint64_t size;
    bool resize = kind == ASSAY_OP_REALLOC || kind == ASSAY_OP_REALLOCARRAY;
    uint32_t victim = assay_directed_malloc(d, 40);
    for (size_t i = 0; assay_boundary_beyond(i, &size); i++) {
        if (i % FREED_EVERY == 0)
            put_freed(d);
        assay_directed_call(d, kind, resize ? victim : 0, arg, size);
    }
    assay_directed_check(d, victim);
    assay_directed_release(d, victim);
}

/* Size and alignment together wrap. */
static void put_sums(struct assay_directed *d)
{
    static const uint8_t kinds[] = {ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_MEMALIGN,
                                    ASSAY_OP_ALIGNED_ALLOC};
    for (unsigned log2 = 4; log2 <= LARGEST_ALIGNMENT_LOG2; log2++) {
        uint64_t alignment = UINT64_C(1) << log2;
        const uint64_t sizes[] = {-alignment - 1,
                                  -alignment,
                                  -alignment + 1,
                                  -alignment + 8,
                                  -alignment + 16,
                                  -alignment + alignment / 2,
                                  -alignment - PAGE,
                                  -(2 * alignment),
                                  -(2 * alignment) + 8,
                                  (uint64_t)INT64_MAX - alignment,
                                  (uint64_t)INT64_MAX - alignment + 1};
        put_freed(d);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t k = 0; k < sizeof kinds; k++)
                assay_directed_call(d, kinds[k], 0, alignment, sizes[i]);
    }
}

static void put_products(struct assay_directed *d)
{
    enum { FREED_EVERY = 32 };
    uint64_t count, size;
    uint32_t victim = assay_directed_malloc(d, 40);
    for (size_t i = 0; assay_boundary_product(i, &count, &size); i++) {
        if (i % FREED_EVERY == 0)
            put_freed(d);
        assay_directed_call(d, ASSAY_OP_CALLOC, 0, count, size);
        assay_directed_call(d, ASSAY_OP_CALLOC, 0, size, count);
        assay_directed_call(d, ASSAY_OP_REALLOCARRAY, 0, count, size);
        assay_directed_call(d, ASSAY_OP_REALLOCARRAY, victim, size, count);
    }
    assay_directed_check(d, victim);
    assay_directed_release(d, victim);
}

/* Legal sizes that are small where somebody keeps them in 32 bits. So that they need not be served,
 * and are not cleared for minutes, the address space has no room for them. */
static void put_halves(struct assay_directed *d)
{
    static const enum assay_op kinds[] = {ASSAY_OP_MALLOC,         ASSAY_OP_ALIGNED_ALLOC,
                                          ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_MEMALIGN,
                                          ASSAY_OP_VALLOC,         ASSAY_OP_PVALLOC};
    static const uint64_t more[] = {0, 16, 96, 1008, 4096, 40000, 1 << 18};
    static const uint64_t products[][2] = {
        {65536, 65536},      {65536, 65537},       {1 << 20, 4097}, {UINT64_C(1) << 31, 2},
        {(1U << 31) + 4, 2}, {(1U << 29) + 16, 8}, {178956971, 24}, {42949673, 100},
        {1431655766, 3},     {4294967296, 1},      {4294967360, 1}, {4194305, 1024}};
    const uint64_t half = UINT64_C(1) << 32;
    assay_directed_release(d, assay_directed_malloc(d, 1 << 18));
    assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_LIMIT, .size = half / 4});
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            bear_and_release(d, kinds[k], kinds[k] == ASSAY_OP_MALLOC ? 0 : 16, half + more[i]);
        if (assay_directed_offers(d, ASSAY_OP_REALLOC)) {
            uint32_t object = assay_directed_malloc(d, 40);
            assay_directed_realloc(d, object, half * 2 + more[i]);
        }
    }
    for (size_t i = 0; i < sizeof products / sizeof *products; i++)
        for (unsigned k = 0; k < 2; k++) {
            uint64_t count = products[i][k], size = products[i][1 - k];
            bear_and_release(d, ASSAY_OP_CALLOC, count, size);
            if (assay_directed_offers(d, ASSAY_OP_REALLOCARRAY))
                assay_directed_call(d, ASSAY_OP_REALLOCARRAY, assay_directed_malloc(d, 40), count,
                                    size);
        }
    assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_LIMIT});
}

static const struct {
    uint8_t kind;
    uint16_t arg;
} bearing[] = {
    [LIMITS_MALLOC] = {ASSAY_OP_MALLOC, 0},
    [LIMITS_CALLOC] = {ASSAY_OP_CALLOC, 1},
    [LIMITS_REALLOC] = {ASSAY_OP_REALLOC, 0},
    [LIMITS_REALLOCARRAY] = {ASSAY_OP_REALLOCARRAY, 1},
    [LIMITS_POSIX_MEMALIGN] = {ASSAY_OP_POSIX_MEMALIGN, 64},
    [LIMITS_MEMALIGN] = {ASSAY_OP_MEMALIGN, 32},
    [LIMITS_ALIGNED_ALLOC] = {ASSAY_OP_ALIGNED_ALLOC, 16},
    [LIMITS_VALLOC] = {ASSAY_OP_VALLOC, 0},
    [LIMITS_PVALLOC] = {ASSAY_OP_PVALLOC, 0},
};

ASSAY_DIRECTED_BUILDER(limits)
{
    if (d->stage > 0)
        return false;
    switch (argument) {
    case LIMITS_SUMS: put_sums(d); return true;
    case LIMITS_PRODUCTS: put_products(d); return true;
    case LIMITS_32BIT: put_halves(d); return true;
    default: break;
    }
    if (lacks(d, bearing[argument].kind))
        return false;
    put_beyond(d, bearing[argument].kind, bearing[argument].arg);
    return true;
}

/* ---- alignments ----------------------------------------------------------------------------- */

/* Every power of two that must be served where the profile says so, with sizes around it; four
 * objects live side by side. */
static void put_powers(struct assay_directed *d, enum assay_op kind)
{
    enum { SIDE_BY_SIDE = 4 };
    for (unsigned log2 = kind == ASSAY_OP_POSIX_MEMALIGN ? 3 : 0; log2 <= LARGEST_ALIGNMENT_LOG2;
         log2++) {
        uint64_t alignment = UINT64_C(1) << log2;
        const uint64_t sizes[] = {0,         1,
                                  8,         alignment - (log2 > 0),
                                  alignment, alignment + 1,
                                  100,       alignment * 2 - (log2 > 3 ? 8 : 0)};
        uint32_t objects[sizeof sizes / sizeof *sizes];
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            objects[i] = assay_directed_call(d, kind, 0, alignment, sizes[i]);
            if (i >= SIDE_BY_SIDE)
                assay_directed_release(d, objects[i - SIDE_BY_SIDE]);
        }
        for (size_t i = SIDE_BY_SIDE; i < sizeof sizes / sizeof *sizes; i++)
            assay_directed_release(d, objects[i]);
    }
}

/* Powers of two beyond, up to 2^30, with sizes around them as far as these are served: granted or
 * refused, two objects side by side; from 2^48: refused. */
static void put_large_powers(struct assay_directed *d, enum assay_op kind)
{
    enum { MOST = 16 << 20 }; /* what is touched takes time */
    uint64_t single = d->profile->budget_object_bytes, live = d->profile->budget_live_bytes / 2;
    uint64_t most = MOST; /* less than what is served where the profile says nothing */
    most = single && single < most ? single : most;
    most = live && live < most ? live : most;
    for (unsigned log2 = LARGEST_ALIGNMENT_LOG2 + 1; log2 <= 30; log2++) {
        uint64_t alignment = UINT64_C(1) << log2;
        const uint64_t sizes[] = {
            1, PAGE, alignment / 2, alignment, alignment / 2 * 3, alignment * 4, 8 << 20};
        uint32_t before = 0;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            if (sizes[i] > most)
                continue;
            uint32_t object = assay_directed_call(d, kind, 0, alignment, sizes[i]);
            if (before)
                assay_directed_release(d, before);
            before = object;
        }
        if (before)
            assay_directed_release(d, before);
    }
    for (unsigned log2 = 48; log2 < 64; log2++)
        for (uint64_t size = 1; size <= PAGE; size *= PAGE)
            assay_directed_call(d, kind, 0, UINT64_C(1) << log2, size);
}

/* What is no power of two: posix_memalign refuses it, aligned_alloc does what the profile says;
 * what memalign does nobody says. */
static void put_bad(struct assay_directed *d)
{
    uint64_t alignment;
    uint32_t kept = assay_directed_malloc(d, 100);
    for (size_t i = 0; assay_boundary_bad_alignment(i, &alignment); i++) {
        bool power = alignment != 0 && (alignment & (alignment - 1)) == 0;
        for (uint64_t size = 8; size <= 4096; size *= 8) {
            assay_directed_call(d, ASSAY_OP_POSIX_MEMALIGN, 0, alignment, size);
            if (!power)
                bear_and_release(d, ASSAY_OP_ALIGNED_ALLOC, alignment, size);
        }
    }
    for (uint64_t far = 1; far <= 1 << 12; far *= 8)
        assay_directed_call(d, ASSAY_OP_POSIX_MEMALIGN, 0, UINT64_MAX - far + 1 - 8, 8);
    assay_directed_check(d, kept);
    assay_directed_release(d, kept);
}

ASSAY_DIRECTED_BUILDER(alignments)
{
    static const uint8_t kinds[] = {[ALIGNMENTS_POSIX] = ASSAY_OP_POSIX_MEMALIGN,
                                    [ALIGNMENTS_C] = ASSAY_OP_ALIGNED_ALLOC,
                                    [ALIGNMENTS_OLD] = ASSAY_OP_MEMALIGN};
    if (d->stage > 0)
        return false;
    if (argument == ALIGNMENTS_BAD) {
        put_bad(d);
        return true;
    }
    if (lacks(d, kinds[argument]))
        return false;
    put_powers(d, kinds[argument]);
    put_large_powers(d, kinds[argument]);
    return true;
}

/* ---- the heap as a whole -------------------------------------------------------------------- */

static void ask_heap(struct assay_directed *d, enum assay_op kind)
{
    assay_directed_put(d, (struct assay_event){.kind = (uint8_t)kind});
    if (kind == ASSAY_OP_STATISTICS)
        assay_directed_put(d, (struct assay_event){.kind = (uint8_t)kind, .arg = 1});
}

/* Rounds of some MiB each: small, medium and large objects come, are resized, and go, each way; the
 * question is asked at the top and at the end. */
static void put_round(struct assay_directed *d, enum assay_op question, uint64_t size,
                      unsigned count)
{
    uint32_t objects[512], n = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t own = size + i % 7;
        objects[n] = assay_directed_malloc(d, own);
        if (i % 4 == 1 && assay_directed_offers(d, ASSAY_OP_REALLOC))
            objects[n] = assay_directed_realloc(d, objects[n], own * 2);
        else if (i % 4 == 2 && assay_directed_offers(d, ASSAY_OP_REALLOC))
            objects[n] = assay_directed_realloc(d, objects[n], own / 2 + 1);
        n++;
        if (i % 8 == 3 && assay_directed_offers(d, ASSAY_OP_CALLOC))
            objects[n++] = assay_directed_call(d, ASSAY_OP_CALLOC, 0, 1, own);
        if (i % 8 == 7 && assay_directed_offers(d, ASSAY_OP_POSIX_MEMALIGN))
            objects[n++] = assay_directed_call(d, ASSAY_OP_POSIX_MEMALIGN, 0, 256, own);
    }
    ask_heap(d, question);
    for (uint32_t i = 0; i < n; i += 2)
        assay_directed_release(d, objects[i]);
    ask_heap(d, question);
    for (uint32_t i = 1; i < n; i += 2)
        assay_directed_release(d, objects[i]);
    ask_heap(d, question);
}

ASSAY_DIRECTED_BUILDER(heap)
{
    enum assay_op question = argument == HEAP_STATISTICS ? ASSAY_OP_STATISTICS : ASSAY_OP_HEAP_WALK;
    if (d->stage > 0 || lacks(d, question))
        return false;
    ask_heap(d, question);
    for (unsigned round = 0; round < 3; round++) {
        put_round(d, question, 24, 300);
        put_round(d, question, 1000, 300);
        put_round(d, question, 20000, 100);
        put_round(d, question, 300000, 16);
    }
    return true;
}

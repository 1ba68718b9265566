/* C32, C33: the address space ends. */
#include "fuzzers/directed/experiments.h"

#define MIB (UINT64_C(1) << 20)

enum { BATCH = 64, OBJECTS_MOST = 4096, REFUSED_FIRST = 4, ASKED_AGAIN = 80, WARM = 12 };

/* Some of each size come and go, so that what an allocator sets up once is set up. */
static void warm_up(struct assay_directed *d, uint64_t size)
{
    uint32_t objects[WARM];
    for (unsigned i = 0; i < WARM; i++)
        objects[i] = assay_directed_malloc(d, i % 2 ? size : 16u << i);
    for (unsigned i = 0; i < WARM; i++)
        assay_directed_release(d, objects[i]);
}

static bool was_granted(const struct assay_event *event)
{
    return event->address != ASSAY_ADDRESS_NULL && event->flags & ASSAY_FLAG_EXECUTED;
}

/* How many of the last ops are requests that were refused. */
static unsigned refused_at_end(const struct assay_directed *d, unsigned most)
{
    unsigned refused = 0;
    while (refused < most && !was_granted(&d->events[d->n - 1 - refused]))
        refused++;
    return refused;
}

/* Every function asks for what there is not; the first object is to be resized. */
static void ask_by_every_function(struct assay_directed *d, uint32_t object, uint64_t size)
{
    static const enum assay_op kinds[] = {
        ASSAY_OP_MALLOC,  ASSAY_OP_CALLOC,       ASSAY_OP_ALIGNED_ALLOC, ASSAY_OP_POSIX_MEMALIGN,
        ASSAY_OP_REALLOC, ASSAY_OP_REALLOCARRAY, ASSAY_OP_MEMALIGN,      ASSAY_OP_VALLOC};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct assay_event op = {.kind = (uint8_t)kinds[i], .size = size, .arg = 64};
        if (!assay_directed_offers(d, kinds[i]))
            continue;
        if (kinds[i] == ASSAY_OP_REALLOC || kinds[i] == ASSAY_OP_REALLOCARRAY)
            op.object = object;
        if (kinds[i] == ASSAY_OP_CALLOC || kinds[i] == ASSAY_OP_REALLOCARRAY)
            op.size /= 64;
        else if (kinds[i] == ASSAY_OP_REALLOC || kinds[i] == ASSAY_OP_MALLOC)
            op.arg = 0;
        assay_directed_bear(d, op);
        if (op.object)
            assay_directed_check(d, object);
    }
}

enum { FIRST, COUNT, PHASE }; /* notes */
enum { PHASE_FILL, PHASE_HALF, PHASE_OVER };

static void put_fill(struct assay_directed *d, uint64_t size)
{
    for (unsigned i = 0; i < BATCH; i++)
        assay_directed_malloc(d, size);
    d->note[COUNT] += BATCH;
}

/* Of those that were granted, the first that is not freed while memory is short. */
static uint32_t younger_half(const struct assay_directed *d)
{
    uint32_t first = (uint32_t)d->note[FIRST], granted = 0;
    while (granted < d->note[COUNT]) {
        const struct assay_event *birth = assay_directed_birth(d, first + granted);
        if (!birth || !was_granted(birth))
            break;
        granted++;
    }
    return first + (granted + 1) / 2;
}

/* The older half is freed, side by side, for who hands out whole regions again; the same, and what
 * is by an eighth smaller, is asked for again, and then given back. */
static void put_half(struct assay_directed *d, uint64_t size)
{
    uint32_t first = (uint32_t)d->note[FIRST], younger = younger_half(d);
    ask_by_every_function(d, first, 64 * MIB);
    for (uint32_t object = first; object < younger; object++)
        assay_directed_release(d, object);
    uint32_t again = d->objects + 1;
    for (unsigned i = 0; i < ASKED_AGAIN; i++)
        assay_directed_malloc(d, i % 2 ? size : size - size / 8);
    for (uint32_t object = again; object < again + ASKED_AGAIN; object++)
        assay_directed_release(d, object);
    assay_directed_check(d, 0);
}

static void put_over(struct assay_directed *d, uint64_t size)
{
    uint32_t first = (uint32_t)d->note[FIRST], last = first + (uint32_t)d->note[COUNT];
    assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_LIMIT});
    warm_up(d, size);
    for (uint32_t object = younger_half(d); object < last; object++)
        assay_directed_release(d, object);
    warm_up(d, size);
}

ASSAY_DIRECTED_BUILDER(limit_half)
{
    static const struct {
        uint64_t size, limit;
    } cases[] = {[HALF_SMALL] = {600, 3 * MIB},
                 [HALF_PAGES] = {9000, 16 * MIB},
                 [HALF_LARGE] = {300000, 48 * MIB},
                 [HALF_HUGE] = {5 * MIB, 160 * MIB}};
    uint64_t size = cases[argument].size;
    if (d->stage == 0) {
        warm_up(d, size);
        assay_directed_put(
            d, (struct assay_event){.kind = ASSAY_OP_LIMIT, .size = cases[argument].limit});
        d->note[FIRST] = d->objects + 1;
        put_fill(d, size);
        return true;
    }
    switch (d->note[PHASE]) {
    case PHASE_FILL:
        if (refused_at_end(d, REFUSED_FIRST) < REFUSED_FIRST && d->note[COUNT] < OBJECTS_MOST) {
            put_fill(d, size);
        } else {
            d->note[PHASE] = PHASE_HALF;
            put_half(d, size);
        }
        return true;
    case PHASE_HALF:
        d->note[PHASE] = PHASE_OVER;
        put_over(d, size);
        return true;
    default: return false;
    }
}

/* ---- the largest request, before and after smaller ones ---- */

enum { LARGEST, STEP };
enum { STEP_PROBE, STEP_AGAIN };

static void put_pieces(struct assay_directed *d, uint64_t largest, unsigned pieces)
{
    enum { FLUSH = 80 };
    for (unsigned i = 0; i < FLUSH; i++) /* a cache of some mappings lets go of the largest */
        assay_directed_release(d, assay_directed_malloc(d, 300000 + i * 4096));
    uint32_t first = d->objects + 1;
    for (unsigned i = 0; i < pieces; i++)
        assay_directed_malloc(d, largest / pieces + (i % 3) * (largest / pieces / 16));
    for (uint32_t start = 0; start < 2; start++)
        for (uint32_t object = first + start; object < first + pieces; object += 2)
            assay_directed_release(d, object);
}

/* The largest that is granted under the limit is given back, and its half is asked for. Then its
 * place is cut up into pieces, which are given back in two sweeps, and what takes three of them in
 * a row is asked for: arenas that are kept may be no larger than that. */
ASSAY_DIRECTED_BUILDER(limit_largest)
{
    enum { LIMIT_MIB = 256 };
    uint64_t last = d->note[LARGEST];
    if (d->stage == 0) {
        warm_up(d, MIB);
        assay_directed_put(d,
                           (struct assay_event){.kind = ASSAY_OP_LIMIT, .size = LIMIT_MIB * MIB});
        d->note[LARGEST] = LIMIT_MIB * MIB - MIB;
        assay_directed_malloc(d, d->note[LARGEST]);
        return true;
    }
    if (d->note[STEP] == STEP_AGAIN)
        return false;
    if (!was_granted(&d->events[d->n - 1])) {
        d->note[LARGEST] = last / 8 * 7;
        if (d->note[LARGEST] < 8 * MIB)
            return false;
        assay_directed_malloc(d, d->note[LARGEST]);
        return true;
    }
    assay_directed_release(d, d->objects);
    assay_directed_release(d, assay_directed_malloc(d, last / 2));
    put_pieces(d, last, argument);
    assay_directed_release(d, assay_directed_malloc(d, last / argument / 2 * 5));
    d->note[STEP] = STEP_AGAIN;
    return true;
}

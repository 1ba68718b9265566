/* More at once, and more in all, than random programs hold: where counters and tables are too
 * small. */
#include "fuzzers/directed/experiments.h"

enum {
    SMALL = 66000, /* more than 16 bits count */
    LARGE = 1300,
    LARGE_BYTES = 144 << 10,
    REUSE_EVERY = 3,
    TURNOVERS = 560,
    TURNOVER_BYTES = 8 << 20 /* more than 32 bits count, in all */
};

static uint64_t size_of(struct assay_directed *d, unsigned argument)
{
    switch (argument) {
    case MANY_EQUAL: return d->note[0];
    case MANY_MIXED: return 1 + assay_random_below(&d->draw, 200);
    default: return LARGE_BYTES + assay_random_below(&d->draw, 8192);
    }
}

/* They all live at once; every third goes and another comes; then all go, in the order of birth,
 * and as many come again: a class's list of freed slots has been as long as it can be. */
ASSAY_DIRECTED_BUILDER(many)
{
    uint32_t count = argument == MANY_LARGE ? LARGE : SMALL, before = d->objects;
    unsigned stages = argument == MANY_EQUAL ? 2 : 1;
    if (d->stage == stages)
        return false;
    /* the smallest, of which most are in one piece, and one more */
    d->note[0] = d->stage == 0 ? 16 : 32 + 16 * assay_random_below(&d->draw, 3);
    for (uint32_t i = 0; i < count; i++)
        assay_directed_malloc(d, size_of(d, argument));
    for (uint32_t i = 1; i <= count; i += REUSE_EVERY) {
        assay_directed_release(d, before + i);
        assay_directed_malloc(d, size_of(d, argument));
    }
    assay_directed_check(d, 0);
    for (uint32_t i = 1; i <= d->objects - before; i++)
        if (i > count || (i - 1) % REUSE_EVERY != 0)
            assay_directed_release(d, before + i);
    uint32_t again = d->objects;
    for (uint32_t i = 0; i < count / REUSE_EVERY; i++)
        assay_directed_malloc(d, size_of(d, argument));
    assay_directed_check(d, 0);
    for (uint32_t i = again + 1; i <= d->objects; i++)
        assay_directed_release(d, i);
    return true;
}

/* Of each size, eight to a doubling, as many as a slab or more has room for; every third goes and
 * comes again. */
ASSAY_DIRECTED_BUILDER(many_sizes)
{
    enum { LOG2_FIRST = 4, LOG2_LAST = 14, STEPS = 8, BYTES = 160 << 10, MOST = 4096, LEAST = 12 };
    uint32_t objects[MOST];
    unsigned log2 = LOG2_FIRST + d->stage;
    (void)argument;
    if (log2 > LOG2_LAST)
        return false;
    for (unsigned step = 1; step <= STEPS; step++) {
        uint64_t size = (UINT64_C(1) << log2) + (UINT64_C(1) << log2) * step / STEPS;
        uint32_t count = (uint32_t)(BYTES / size) + LEAST;
        count = count < MOST ? count : MOST;
        for (uint32_t i = 0; i < count; i++)
            objects[i] = assay_directed_malloc(d, size);
        for (uint32_t i = 0; i < count; i += REUSE_EVERY) {
            assay_directed_release(d, objects[i]);
            objects[i] = assay_directed_malloc(d, size);
        }
        assay_directed_check(d, 0);
        for (uint32_t i = 0; i < count; i++)
            assay_directed_release(d, objects[i % 2 ? count - 1 - i / 2 : i / 2]);
    }
    return true;
}

/* One large object after the other, 4.4 GiB in all. */
ASSAY_DIRECTED_BUILDER(turnover)
{
    (void)argument;
    if (d->stage > 0)
        return false;
    uint32_t kept = assay_directed_malloc(d, TURNOVER_BYTES);
    for (int i = 0; i < TURNOVERS; i++)
        assay_directed_release(
            d, assay_directed_malloc(d, TURNOVER_BYTES - assay_random_below(&d->draw, 65536)));
    assay_directed_check(d, 0);
    assay_directed_release(d, kept);
    return true;
}

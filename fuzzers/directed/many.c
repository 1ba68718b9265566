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
    uint32_t count = argument == MANY_LARGE ? LARGE : SMALL;
    if (d->stage > 0)
        return false;
    d->note[0] = 16 + 16 * assay_random_below(&d->draw, 4);
    for (uint32_t i = 0; i < count; i++)
        assay_directed_malloc(d, size_of(d, argument));
    for (uint32_t i = 1; i <= count; i += REUSE_EVERY) {
        assay_directed_release(d, i);
        assay_directed_malloc(d, size_of(d, argument));
    }
    assay_directed_check(d, 0);
    for (uint32_t i = 1; i <= d->objects; i++)
        if (i > count || (i - 1) % REUSE_EVERY != 0)
            assay_directed_release(d, i);
    uint32_t again = d->objects;
    for (uint32_t i = 0; i < count / REUSE_EVERY; i++)
        assay_directed_malloc(d, size_of(d, argument));
    assay_directed_check(d, 0);
    for (uint32_t i = again + 1; i <= d->objects; i++)
        assay_directed_release(d, i);
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

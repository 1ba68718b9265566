/* Address ranges where no object may lie (C07): stacks, loaded images, the runner's own mappings.
 *
 * Taken once, before the first op, with dl_iterate_phdr and raw read(2) of /proc/self/maps; a
 * subject's own memory does not count, nor do its writable segments (a static pool is its right).
 * The test for one result is two comparisons as long as results keep to one gap. */
#ifndef ASSAY_RANGES_H
#define ASSAY_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/core/error.h"

enum { ASSAY_RANGES_MAX = 256 };

struct assay_range {
    uintptr_t from, to;
};

struct assay_ranges {
    struct assay_range gap[2]; /* gaps that the last results fell into */
    unsigned next_gap;
    unsigned count; /* sorted, disjoint */
    bool overflow;  /* more ranges than fit: those left out are not tested */
    struct assay_range range[ASSAY_RANGES_MAX];
};

void assay_ranges_add(struct assay_ranges *ranges, uintptr_t from, uintptr_t to);
/* Images and stacks of this process. subject_code is any function of the subject. */
int assay_ranges_snapshot(struct assay_ranges *ranges, const void *subject_code,
                          struct assay_error *err);
bool assay_ranges_touches_slowly(struct assay_ranges *ranges, uintptr_t from, uintptr_t to);

/* True if [from, from + bytes) touches a range. */
static inline bool assay_ranges_touches(struct assay_ranges *ranges, uintptr_t from, size_t bytes)
{
    uintptr_t to = from + bytes;
    if (__builtin_expect(to > from && from >= ranges->gap[0].from && to <= ranges->gap[0].to, 1))
        return false;
    if (to > from && from >= ranges->gap[1].from && to <= ranges->gap[1].to)
        return false;
    return assay_ranges_touches_slowly(ranges, from, to);
}

#endif

/* Makes a program that shows a finding small: delta debugging over objects (with everything that
 * happens to them), then over single ops, then sizes, counts, alignments and kinds.
 *
 * Knows nothing of subjects: the caller's test says whether a candidate still shows the same
 * finding. Every candidate is a legal program whose object numbers rise by birth; dropping a resize
 * lets the old object live on. Host only. */
#ifndef ASSAY_MINIMISE_H
#define ASSAY_MINIMISE_H

#include "traces/event.h"

struct assay_minimise {
    void *self;
    /* Still the same finding? May overwrite the result half of the ops. */
    bool (*test)(void *self, struct assay_event *ops, size_t n);
    /* True: stop now with what there is. May be NULL. */
    bool (*expired)(void *self);
};

/* Makes a program of the ops with keep[i] (NULL: all): drops what became illegal, mends sizes of
 * sized releases, renumbers objects, clears the result half. `out` has room for n. Returns the
 * number of ops. */
size_t assay_minimise_repair(const struct assay_event *ops, size_t n, const bool *keep,
                             struct assay_event *out);

/* Minimises in place. Returns the new number of ops (n, untouched, when the repaired whole does not
 * pass the test), or 0 when memory is short. */
size_t assay_minimise(struct assay_event *ops, size_t n, const struct assay_minimise *minimise);

#endif

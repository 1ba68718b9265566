/* Makes a program that shows a finding small: delta debugging over objects (with everything that
 * happens to them), then over single ops, then over simplifications of ops (kind, thread, size,
 * count, alignment, offset), until nothing changes any more; few ops are tried in windows of up to
 * eight neighbours as well, which leads out of many a dead end.
 *
 * What is left is 1-minimal: no op, and so no object, can be left out, none moved to the main
 * thread, no size, count, alignment or offset halved, with the finding still shown. Knows nothing
 * of subjects: the caller's test says whether a candidate shows the same finding; it may be
 * non-monotone. Every candidate is a legal program (but for the misuses that it had) whose object
 * numbers rise by birth; dropping a resize lets the old object live on. No candidate is tested
 * twice. Host only. */
#ifndef ASSAY_MINIMISE_H
#define ASSAY_MINIMISE_H

#include "traces/event.h"

struct assay_minimise {
    void *self;
    /* Still the same finding? May overwrite the result half of the ops. A careful test's answer is
     * final. One that is not careful may be quicker and miss the finding (what it says is there is
     * there): candidates that it rejected are tried again at the end. */
    bool (*test)(void *self, struct assay_event *ops, size_t n, bool careful);
    /* After a test that passed: how many ops, from the first, are needed for that. May be
     * NULL: all. */
    size_t (*needed)(void *self, size_t n);
    bool always_careful; /* there is no quick test */
    /* True: stop now with what there is. May be NULL. */
    bool (*expired)(void *self);
    /* Called after each test with what the program has come down to. May be NULL. */
    void (*progress)(void *self, size_t ops, uint64_t tests);
};

struct assay_minimised {
    bool shows;     /* the program, mended, shows the finding; else it is untouched */
    bool minimal;   /* 1-minimal; false: time was up before */
    uint64_t tests; /* candidates that were tested */
    uint64_t known; /* and that did not need to be: they had been */
};

/* Makes a program of the ops with keep[i] (NULL: all): drops what became illegal, mends sizes of
 * sized releases, renumbers objects, clears the result half but for the mark of a resize that was
 * seen to be refused, which leaves its operand alive (assay_minimise_mark). A misuse stays in only
 * as the misuse that it was: on a live or on a dead object. `out` has room for n. Returns the
 * number of ops. */
size_t assay_minimise_repair(const struct assay_event *ops, size_t n, const bool *keep,
                             struct assay_event *out);
/* What a run of the program showed of it: its resizes that were refused are marked, in errno's
 * place. Candidates are tested without marks; minimised programs have none. */
void assay_minimise_mark(struct assay_event *ops, size_t n, const struct assay_event *results);
void assay_minimise_unmark(struct assay_event *ops, size_t n);
uint32_t assay_minimise_highest(const struct assay_event *ops, size_t n);

/* Minimises in place. Returns the new number of ops, or 0 when memory is short. */
size_t assay_minimise(struct assay_event *ops, size_t n, const struct assay_minimise *minimise,
                      struct assay_minimised *ret_outcome);

#endif

/* The single steps by which the minimiser makes an op simpler, beside leaving it out. Each makes
 * its op smaller in a fixed order (kind, thread, sizes), so that steps come to an end. Internal to
 * oracles/compare/minimise.c. */
#ifndef ASSAY_SIMPLIFY_H
#define ASSAY_SIMPLIFY_H

#include "traces/event.h"

enum assay_simplification {
    ASSAY_SIMPLER_LIMIT,   /* of memory -> none; failing call -> the next */
    ASSAY_SIMPLER_BIRTH,   /* calloc, aligned allocation -> malloc of the same bytes */
    ASSAY_SIMPLER_RESIZE,  /* reallocarray -> realloc */
    ASSAY_SIMPLER_NEW,     /* realloc -> malloc; the old object lives on */
    ASSAY_SIMPLER_RELEASE, /* -> free */
    ASSAY_SIMPLER_THREAD,  /* -> the main thread's */
    ASSAY_SIMPLER_SIZE,    /* -> 1 */
    ASSAY_SIMPLER_ARG,     /* count, alignment, offset: -> the least */
    ASSAY_SIMPLER_HALF_LIMIT,
    ASSAY_SIMPLER_HALF_SIZE,
    ASSAY_SIMPLER_HALF_ARG,
    ASSAY_SIMPLER_COUNT
};

/* Makes the step. False, op unchanged: there is none, or its answer would be open (a request that
 * must be refused stays one, or becomes an ordinary one; an ordinary one does not become one that
 * must be refused). Sizes and counts end at 1. */
bool assay_simplify(struct assay_event *op, enum assay_simplification step);
/* True for steps that may be made more than once. */
static inline bool assay_simplification_repeats(enum assay_simplification step)
{
    return step >= ASSAY_SIMPLER_HALF_LIMIT;
}

#endif

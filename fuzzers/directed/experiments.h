/* The builders and the arguments that directed.def gives them. */
#ifndef ASSAY_DIRECTED_EXPERIMENTS_H
#define ASSAY_DIRECTED_EXPERIMENTS_H

#include "fuzzers/directed/build.h"
#include "traces/runner/mapping_faults.h"

/* resize.c */
enum { LADDER_UP, LADDER_DOWN };
ASSAY_DIRECTED_BUILDER(ladder);
/* many.c */
enum { MANY_EQUAL, MANY_MIXED, MANY_LARGE };
ASSAY_DIRECTED_BUILDER(many);
ASSAY_DIRECTED_BUILDER(turnover);

/* passes.c: C31 */
enum { PASSES_MIXED, PASSES_LARGE };
ASSAY_DIRECTED_BUILDER(passes);

/* context.c */
enum { FIRST_OF_PROCESS, FIRST_OF_THREAD };
ASSAY_DIRECTED_BUILDER(first_call);
enum { CROSSING_LIVE_OWNER, CROSSING_DEAD_OWNER };
ASSAY_DIRECTED_BUILDER(crossing);
enum { HANDLERS_EXIT, HANDLERS_THREAD, HANDLERS_FORK };
ASSAY_DIRECTED_BUILDER(handlers);
enum { FORKS_ALONE, FORKS_OF_BUSY };
ASSAY_DIRECTED_BUILDER(forks);

/* limit.c: C32, C33 */
enum { HALF_SMALL, HALF_PAGES, HALF_LARGE, HALF_HUGE };
ASSAY_DIRECTED_BUILDER(limit_half);
ASSAY_DIRECTED_BUILDER(limit_largest);

/* refuse.c: C33; the argument is kinds of calls, of refuse_first the number of a call */
enum {
    CALLS_ALL = ASSAY_MAPPING_ALL,
    CALLS_MMAP = 1 << ASSAY_MAPPING_MMAP,
    CALLS_MREMAP = 1 << ASSAY_MAPPING_MREMAP,
    CALLS_MUNMAP = 1 << ASSAY_MAPPING_MUNMAP,
    CALLS_MPROTECT = 1 << ASSAY_MAPPING_MPROTECT,
    CALLS_MADVISE = 1 << ASSAY_MAPPING_MADVISE,
    CALLS_BRK = 1 << ASSAY_MAPPING_BRK,
    CALLS_FOR_MEMORY = CALLS_MMAP | CALLS_MREMAP | CALLS_BRK
};
ASSAY_DIRECTED_BUILDER(refuse_each);
ASSAY_DIRECTED_BUILDER(refuse_first);
ASSAY_DIRECTED_BUILDER(refuse_all);

#endif

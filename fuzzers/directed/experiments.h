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
ASSAY_DIRECTED_BUILDER(many_sizes);
ASSAY_DIRECTED_BUILDER(turnover);

/* passes.c: C31, C29 */
enum {
    PASSES_MIXED,
    PASSES_LARGE,
    PASSES_HUGE,
    PASSES_SMALL,
    PASSES_EQUAL,
    PASSES_RESIZED,
    PASSES_ALIGNED,
    PASSES_REFUSED,
    PASSES_UNADVISED /* with calls to protect and advise that fail */
};
ASSAY_DIRECTED_BUILDER(passes);
enum { CHURN_OWN, CHURN_LEFT, CHURN_LATE, CHURN_SMALL };
ASSAY_DIRECTED_BUILDER(churn);

/* races.c */
enum {
    RACES_SMALL,
    RACES_MEDIUM,
    RACES_MIXED,
    RACES_RESIZED,
    RACES_REMOTE,
    RACES_LARGE,
    RACES_ENDS,
    RACES_TOGETHER, /* threads that begin at once and end at once */
    RACES_LOST,     /* REMOTE, measured */
    RACES_LOST_MANY /* the same, one takes and all others free */
};
enum { THREADS_MANY = 64 /* as many as a measured profile promises at most */ };
ASSAY_DIRECTED_BUILDER(races);
ASSAY_DIRECTED_BUILDER(races_first);
ASSAY_DIRECTED_BUILDER(races_measured);
ASSAY_DIRECTED_BUILDER(threads_many);

/* context.c */
enum { FIRST_OF_PROCESS, FIRST_OF_THREAD, FIRST_IN_CROWD };
ASSAY_DIRECTED_BUILDER(first_call);
enum { CROSSING_LIVE_OWNER, CROSSING_DEAD_OWNER };
ASSAY_DIRECTED_BUILDER(crossing);
ASSAY_DIRECTED_BUILDER(crossing_any); /* crossing.c */
enum { HANDLERS_EXIT, HANDLERS_THREAD, HANDLERS_FORK };
ASSAY_DIRECTED_BUILDER(handlers);
enum { FORKS_ALONE, FORKS_OF_BUSY };
ASSAY_DIRECTED_BUILDER(forks);
/* edges.c */
enum { EDGES_BORN, EDGES_BORN_OTHERWISE, EDGES_RESIZED, EDGES_SIZED, EDGES_GOOD_SIZE };
ASSAY_DIRECTED_BUILDER(edges);
enum { SIZED_ALIGNED, SIZED_USABLE };
ASSAY_DIRECTED_BUILDER(sized);
/* repeat.c */
enum { REPEATED_SMALL, REPEATED_LARGE };
ASSAY_DIRECTED_BUILDER(repeated);
/* limits.c */
enum {
    LIMITS_MALLOC,
    LIMITS_CALLOC,
    LIMITS_REALLOC,
    LIMITS_REALLOCARRAY,
    LIMITS_POSIX_MEMALIGN,
    LIMITS_MEMALIGN,
    LIMITS_ALIGNED_ALLOC,
    LIMITS_VALLOC,
    LIMITS_PVALLOC,
    LIMITS_SUMS,
    LIMITS_PRODUCTS,
    LIMITS_32BIT
};
ASSAY_DIRECTED_BUILDER(limits);
enum { ALIGNMENTS_POSIX, ALIGNMENTS_C, ALIGNMENTS_OLD, ALIGNMENTS_BAD };
ASSAY_DIRECTED_BUILDER(alignments);
enum { HEAP_STATISTICS, HEAP_WALKED };
ASSAY_DIRECTED_BUILDER(heap);

/* limit.c: C32, C33 */
enum { HALF_SMALL, HALF_PAGES, HALF_LARGE, HALF_HUGE };
ASSAY_DIRECTED_BUILDER(limit_half);
enum { CUT_LARGE = 250, CUT_MEDIUM = 740 }; /* pieces of the largest object's place */
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

/* The builders and the arguments that directed.def gives them. */
#ifndef ASSAY_DIRECTED_EXPERIMENTS_H
#define ASSAY_DIRECTED_EXPERIMENTS_H

#include "fuzzers/directed/build.h"

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

#endif

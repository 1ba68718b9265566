/* What a program needs of the process that runs it, beside its ops: data that travels with the
 * program from whoever made it through trials into the folder of a finding and back. A limit of
 * memory (LIMIT) and failing system calls (REFUSE) are ops. */
#ifndef ASSAY_ENVIRONMENT_H
#define ASSAY_ENVIRONMENT_H

#include "traces/runner/executor.h"

/* All zero: serial order, and nothing watched that need not be. */
struct assay_environment {
    enum assay_order order;
    bool mapping_calls; /* REFUSE ops have their effect; serial order only */
    bool preempted;     /* threads are interrupted inside the subject's calls; partial order only */
    bool stepped;       /* and by single steps alone: the subject dies at breakpoints */
    bool whole_content; /* objects are filled and checked whole (ASSAY_TOUCH_WHOLE_MAX) */
    bool twice; /* run in two fresh processes whose answers are compared (C36); serial order only */
};

#endif

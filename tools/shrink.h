/* From a program that showed a finding once to the smallest one, and how sure it is: what fuzz and
 * minimize share.
 *
 * A finding that shows in every fresh child is minimised by single trials. One that shows in some
 * of them only (a subject that answers at random, threads that run meanwhile) is minimised by a
 * sequential test: a candidate is taken when its rate is decided to be about the program's own,
 * with a stated error; one that shows it more seldom has lost it. Host only. */
#ifndef ASSAY_SHRINK_H
#define ASSAY_SHRINK_H

#include <signal.h>

#include "oracles/finding.h"
#include "oracles/sequential.h"
#include "tools/trial.h"

/* Of one candidate of a finding that shows in some runs only: to be taken though it shows four
 * times as rarely as the program did at least, or left though it shows as often. */
#define ASSAY_SHRINK_ERROR 0.01
/* The same where threads run meanwhile, against half of what the program did: to be taken, to be
 * left (assay_decide_wald). */
#define ASSAY_SHRINK_KEEPS 0.02
#define ASSAY_SHRINK_LOSES 0.05
/* Of many candidates that show it too seldom some are lucky: the more were left, the less is
 * granted. */
static inline double assay_shrink_keeps(unsigned left)
{
    return ASSAY_SHRINK_KEEPS / (1 + left / 8.0);
}

/* Whether a candidate that showed it in so many of its trials is taken (ASSAY_ALWAYS) or left
 * (ASSAY_NEVER); left: how many were so far. */
static inline enum assay_decision assay_shrink_decide(uint64_t hits, uint64_t trials, double floor,
                                                      double wanted, unsigned left)
{
    return assay_decide_wald(hits, trials, floor, wanted, assay_shrink_keeps(left),
                             ASSAY_SHRINK_LOSES);
}

struct assay_shrink {
    struct assay_trial_config trial; /* hang_ms: how long an op of the finding may take */
    uint64_t deadline_ns;            /* CLOCK_MONOTONIC: of minimising */
    uint64_t latest_ns;              /* and of all of it; what shows at random gets until here */
    const volatile sig_atomic_t *interrupted;
    void *self;
    /* May be NULL. ops: what is left; trials: made so far. */
    void (*progress)(void *self, size_t ops, uint64_t trials);
};

struct assay_shrunk {
    unsigned hits, trials; /* of the final program, in fresh children */
    bool minimised;        /* nothing more can be taken away */
    const char *why_whole; /* else: why it stayed as it was; NULL: there was no time for more */
    bool random;           /* it shows in some runs only: */
    double floor;          /* no candidate was taken whose rate is below this; 0: none was asked */
    uint64_t runs;         /* programs run in all */
    struct assay_environment environment; /* what of it the finding needs */
};

/* Minimises ops in place; *count is what is left. In: the finding that the program showed, out: as
 * the minimal one shows it. Returns 0, or ASSAY_E_* when no child could be had. */
int assay_shrink(const struct assay_shrink *shrink, struct assay_event *ops, size_t *count,
                 struct assay_trial_result *result, struct assay_shrunk *ret_shrunk,
                 struct assay_error *err);

#endif

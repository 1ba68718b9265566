/* C26: a legal program comes to its end. */
#include "oracles/oracle.h"

#include <signal.h>

enum assay_outcome assay_oracle_C26(const struct assay_case *c, struct assay_verdict *v)
{
    if (c->hung)
        return assay_violated(v, ASSAY_RELATION_HANG, 0, 0);
    if (c->event->signal == 0)
        return ASSAY_OUTCOME_HOLDS;
    return assay_violated(v,
                          c->event->signal == SIGABRT ? ASSAY_RELATION_ABORT : ASSAY_RELATION_CRASH,
                          0, c->event->signal);
}

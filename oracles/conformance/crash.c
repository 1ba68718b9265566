/* C26: a legal program comes to its end. */
#include "oracles/oracle.h"

#include <signal.h>

enum assay_relation assay_case_stopped(const struct assay_case *c)
{
    if (c->hung)
        return ASSAY_RELATION_HANG;
    if (c->event->signal == 0)
        return ASSAY_RELATION_NONE;
    return c->event->signal == SIGABRT ? ASSAY_RELATION_ABORT : ASSAY_RELATION_CRASH;
}

enum assay_outcome assay_oracle_C26(const struct assay_case *c, struct assay_verdict *v)
{
    enum assay_relation relation = assay_case_stopped(c);
    if (relation == ASSAY_RELATION_NONE)
        return ASSAY_OUTCOME_HOLDS;
    return assay_violated(v, relation, 0, c->event->signal);
}

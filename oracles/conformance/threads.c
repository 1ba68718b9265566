/* C28: objects that cross threads. What C01, C12, C16 and C19 say of an owner's call. */
#include "oracles/oracle.h"

enum assay_outcome assay_oracle_C28(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->operand || !c->foreign)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    enum assay_relation stopped = assay_case_stopped(c);
    if (stopped != ASSAY_RELATION_NONE)
        return assay_violated(v, stopped, 0, c->event->signal);
    if (!(ASSAY_ON_RESIZE >> c->kind & 1)) {
        if (c->event->error != 0)
            return assay_violated(v, ASSAY_RELATION_WRONG_ERRNO, 0, c->event->error);
        return ASSAY_OUTCOME_HOLDS;
    }
    if (c->succeeded && (c->event->failed & ASSAY_FACT_PREFIX))
        return assay_fact_violated(v, ASSAY_FACT_PREFIX);
    if (!c->succeeded && c->bytes != 0 && !c->scarcity && !assay_case_oversize(c) && !c->overflow) {
        if (assay_case_within_budget(c) && c->exact)
            return ASSAY_OUTCOME_HOLDS;
        if (assay_case_within_budget(c))
            return assay_violated(v, ASSAY_RELATION_NULL, c->bytes, c->event->error);
        if (c->event->error != ENOMEM && assay_case_errno_promised(c))
            return assay_violated(v, ASSAY_RELATION_WRONG_ERRNO, ENOMEM, c->event->error);
    }
    return ASSAY_OUTCOME_HOLDS;
}

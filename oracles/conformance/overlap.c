/* C05, C06, C07: memory handed out belongs to nobody else. */
#include "oracles/oracle.h"

enum assay_outcome assay_oracle_C05(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->succeeded)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->overlap == 0 || assay_case_misplaced(c) || (c->exact == ASSAY_PROPERTY_C30 && c->forked))
        return ASSAY_OUTCOME_HOLDS; /* after a fork C30 says it */
    if ((c->overlap_flags & ASSAY_OVERLAP_SURVIVOR) && assay_case_judges(c, ASSAY_PROPERTY_C13))
        return ASSAY_OUTCOME_HOLDS;
    if ((c->overlap_flags & ASSAY_OVERLAP_BOTH_EMPTY) && assay_case_judges(c, ASSAY_PROPERTY_C18) &&
        c->kind != ASSAY_OP_REALLOC && c->kind != ASSAY_OP_REALLOCARRAY)
        return ASSAY_OUTCOME_HOLDS;
    return assay_overlap_violated(c, v);
}

enum assay_outcome assay_oracle_C06(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->succeeded || !(c->event->flags & ASSAY_FLAG_USABLE))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->overlap != 0 || c->overlap_usable == 0)
        return ASSAY_OUTCOME_HOLDS;
    v->other = c->overlap_usable;
    return assay_violated(v, ASSAY_RELATION_OVERLAP_PARTIAL, 0, c->event->address);
}

enum assay_outcome assay_oracle_C07(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->succeeded || !(c->event->checked & ASSAY_FACT_FOREIGN))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->event->failed & ASSAY_FACT_FOREIGN)
        return assay_violated(v, ASSAY_RELATION_OTHER, 0, c->event->address);
    return ASSAY_OUTCOME_HOLDS;
}

/* C27, C30, C35: first calls, forked processes, handlers. Which ops are theirs is the judge's to
 * say (exact): the same ops were made before, where nothing is special, so that what goes wrong now
 * goes wrong because of where it is. */
#include "oracles/oracle.h"

enum assay_outcome assay_case_in_context(const struct assay_case *c, enum assay_property property,
                                         struct assay_verdict *v)
{
    if (c->exact != property)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    enum assay_relation relation = assay_case_stopped(c);
    if (relation != ASSAY_RELATION_NONE)
        return assay_violated(v, relation, 0, c->event->signal);
    bool bearing = ASSAY_ON_BEARING >> c->kind & 1;
    if (bearing && !c->succeeded && c->bytes != 0 && !c->scarcity && assay_case_within_budget(c))
        return assay_violated(v, ASSAY_RELATION_NULL, c->bytes, c->event->error);
    return ASSAY_OUTCOME_HOLDS;
}

enum assay_outcome assay_oracle_C27(const struct assay_case *c, struct assay_verdict *v)
{
    return assay_case_in_context(c, ASSAY_PROPERTY_C27, v);
}

enum assay_outcome assay_oracle_C35(const struct assay_case *c, struct assay_verdict *v)
{
    return assay_case_in_context(c, ASSAY_PROPERTY_C35, v);
}

/* Content that a fork alone can have changed is seen by C08, and handed over by
 * assay_content_blame(); memory that the other process gave away or took is seen here. */
enum assay_outcome assay_oracle_C30(const struct assay_case *c, struct assay_verdict *v)
{
    if (c->exact == ASSAY_PROPERTY_C30 && c->forked && c->succeeded && c->overlap != 0)
        return assay_overlap_violated(c, v);
    return assay_case_in_context(c, ASSAY_PROPERTY_C30, v);
}

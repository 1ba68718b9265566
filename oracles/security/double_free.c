/* S01, immediate: the second free comes before anything else changed the heap. */
#include "oracles/oracle.h"

enum assay_outcome assay_oracle_S01(const struct assay_case *c, struct assay_verdict *v)
{
    if (c->profile->detects_double_free != ASSAY_ANSWER_YES || !c->dead ||
        c->dead->state != ASSAY_OBJECT_FREED || c->dead->death != c->last_call)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->hung)
        return assay_violated(v, ASSAY_RELATION_HANG, 0, 0);
    if (c->event->signal == 0)
        return assay_violated(v, ASSAY_RELATION_UNDETECTED, 0, c->dead->address);
    return ASSAY_OUTCOME_HOLDS;
}

/* C37: bounds that a capability can hold. Judged where the profile names a capability format. */
#include "oracles/oracle.h"

enum assay_outcome assay_oracle_C37(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->succeeded || c->profile->cheri_mantissa == 0)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->overlap != 0 || c->overlap_rounded == 0) /* C05 says the other */
        return ASSAY_OUTCOME_HOLDS;
    v->other = c->overlap_rounded;
    return assay_violated(v, ASSAY_RELATION_OVERLAP_PARTIAL, c->profile->cheri_mantissa,
                          c->event->address);
}

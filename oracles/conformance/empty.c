/* C18: requests of size 0. (realloc(p, 0) is C15, realloc(NULL, 0) is C14.) */
#include "oracles/oracle.h"

enum assay_outcome assay_oracle_C18(const struct assay_case *c, struct assay_verdict *v)
{
    if (c->bytes != 0)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->kind == ASSAY_OP_MALLOC || c->kind == ASSAY_OP_CALLOC) {
        uint8_t null = c->profile->malloc_zero_null;
        if (null == ASSAY_ANSWER_YES && c->succeeded)
            return assay_violated(v, ASSAY_RELATION_NOT_NULL, ASSAY_ADDRESS_NULL,
                                  c->event->address);
        if (null == ASSAY_ANSWER_NO && !c->succeeded && !c->scarcity)
            return assay_violated(v, ASSAY_RELATION_NULL, 0, c->event->error);
    }
    if (c->overlap != 0 && (c->overlap_flags & ASSAY_OVERLAP_BOTH_EMPTY)) {
        v->other = c->overlap;
        return assay_violated(v, ASSAY_RELATION_OVERLAP_SAME_START, 0, c->event->address);
    }
    return ASSAY_OUTCOME_HOLDS;
}

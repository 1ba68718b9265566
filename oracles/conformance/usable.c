/* C04, C09: the usable size that an allocator admits to. */
#include "oracles/oracle.h"

static int64_t extra(uint64_t usable, uint64_t requested)
{
    int64_t difference = (int64_t)(usable - requested);
    return difference > INT32_MAX ? INT32_MAX : difference < INT32_MIN ? INT32_MIN : difference;
}

static enum assay_outcome query(const struct assay_case *c, struct assay_verdict *v)
{
    const struct assay_object *object = c->operand;
    uint64_t usable = c->event->value;
    if (c->null_operand)
        return usable == 0 ? ASSAY_OUTCOME_HOLDS
                           : assay_violated(v, ASSAY_RELATION_OTHER, 0, usable);
    if (!object || (object->flags & ASSAY_OBJECT_PREEXISTING))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    bool exact = c->profile->usable_is_requested == ASSAY_ANSWER_YES &&
                 object->api != ASSAY_OP_PVALLOC; /* which rounds the request up */
    if (exact ? usable != object->requested : usable < object->requested)
        return assay_violated(v, ASSAY_RELATION_OTHER, object->requested, usable);
    bool survivor =
        (object->flags & ASSAY_OBJECT_SURVIVOR) && assay_case_judges(c, ASSAY_PROPERTY_C13);
    if ((object->flags & ASSAY_OBJECT_USABLE_KNOWN) && !survivor &&
        extra(usable, object->requested) != object->usable_extra)
        return assay_violated(v, ASSAY_RELATION_OTHER, assay_object_usable(object), usable);
    return ASSAY_OUTCOME_HOLDS;
}

enum assay_outcome assay_oracle_C04(const struct assay_case *c, struct assay_verdict *v)
{
    if (c->kind == ASSAY_OP_USABLE_SIZE)
        return query(c, v);
    if (!c->succeeded || !(c->event->flags & ASSAY_FLAG_USABLE))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (assay_case_misplaced(c))
        return ASSAY_OUTCOME_HOLDS;
    int32_t more = c->event->usable_extra;
    bool exact = c->profile->usable_is_requested == ASSAY_ANSWER_YES && c->kind != ASSAY_OP_PVALLOC;
    if (more < 0 || (more > 0 && exact))
        return assay_violated(v, ASSAY_RELATION_OTHER, c->bytes,
                              c->bytes + (uint64_t)(int64_t)more);
    return ASSAY_OUTCOME_HOLDS;
}

enum assay_outcome assay_oracle_C09(const struct assay_case *c, struct assay_verdict *v)
{
    if (!(c->event->checked & ASSAY_FACT_USABLE) || c->profile->usable_writable == ASSAY_ANSWER_NO)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (assay_case_refusal_damage(c) && assay_case_judges(c, ASSAY_PROPERTY_C13))
        return ASSAY_OUTCOME_HOLDS; /* C13, or C11 of a product: the refusal did it */
    if (c->event->failed & ASSAY_FACT_USABLE)
        return assay_fact_violated(v, ASSAY_FACT_USABLE);
    return ASSAY_OUTCOME_HOLDS;
}

/* C12-C16: realloc and reallocarray. */
#include "oracles/oracle.h"

static bool is_resize(const struct assay_case *c)
{
    return ASSAY_ON_RESIZE >> c->kind & 1;
}

enum assay_outcome assay_oracle_C12(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->operand || !c->succeeded || !(c->event->checked & ASSAY_FACT_PREFIX) || c->foreign ||
        c->operand->alignment_log2 != 0)
        return ASSAY_OUTCOME_NOT_APPLICABLE; /* C28 and C16 judge the other two */
    if (c->event->failed & ASSAY_FACT_PREFIX)
        return assay_fact_violated(v, ASSAY_FACT_PREFIX);
    return ASSAY_OUTCOME_HOLDS;
}

enum assay_outcome assay_oracle_C16(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->operand || !c->succeeded || c->foreign || c->operand->alignment_log2 == 0)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    uint64_t alignment = UINT64_C(1) << c->operand->alignment_log2;
    bool keeps = c->profile->realloc_keeps_alignment == ASSAY_ANSWER_YES;
    if (!keeps && !(c->event->checked & ASSAY_FACT_PREFIX))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->event->failed & ASSAY_FACT_PREFIX)
        return assay_fact_violated(v, ASSAY_FACT_PREFIX);
    if (keeps && (c->event->address & (alignment - 1)))
        return assay_violated(v, ASSAY_RELATION_OTHER, alignment,
                              c->event->address & (alignment - 1));
    return ASSAY_OUTCOME_HOLDS;
}

/* Judged at the refused resize itself, and later where the survivor shows: its usable size, whether
 * it can be used and freed, and whether its memory is given to another. */
enum assay_outcome assay_oracle_C13(const struct assay_case *c, struct assay_verdict *v)
{
    enum assay_relation stopped = assay_case_stopped(c);
    if (stopped != ASSAY_RELATION_NONE) /* the judge asks this of survivors only */
        return assay_violated(v, stopped, 0, c->event->signal);
    if (c->kind == ASSAY_OP_USABLE_SIZE) {
        const struct assay_object *object = c->operand;
        uint8_t both = ASSAY_OBJECT_SURVIVOR | ASSAY_OBJECT_USABLE_KNOWN;
        if (!object || (object->flags & both) != both)
            return ASSAY_OUTCOME_NOT_APPLICABLE;
        uint64_t usable = assay_object_usable(object);
        bool saturated = object->usable_extra == INT32_MAX;
        if (saturated ? c->event->value < usable : c->event->value != usable)
            return assay_violated(v, ASSAY_RELATION_OTHER, usable, c->event->value);
        return ASSAY_OUTCOME_HOLDS;
    }
    if (c->overlap != 0 && (c->overlap_flags & ASSAY_OVERLAP_SURVIVOR))
        return assay_overlap_violated(c, v);
    if (!is_resize(c) || !c->operand || c->succeeded || c->bytes == 0 || c->overflow)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (assay_case_refusal_damage(c))
        return assay_fact_violated(v, (enum assay_fact)assay_case_refusal_damage(c));
    return ASSAY_OUTCOME_HOLDS;
}

/* What C01, C02 and C18 say of malloc(n), said of realloc(NULL, n). */
enum assay_outcome assay_oracle_C14(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->null_operand || c->overflow || assay_case_oversize(c) || c->kind == ASSAY_OP_REZALLOC)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (!c->succeeded && c->scarcity)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (!c->succeeded) {
        if (c->bytes == 0)
            return c->profile->malloc_zero_null == ASSAY_ANSWER_NO
                       ? assay_violated(v, ASSAY_RELATION_NULL, 0, c->event->error)
                       : ASSAY_OUTCOME_HOLDS;
        if (assay_case_within_budget(c))
            return c->exact ? ASSAY_OUTCOME_NOT_APPLICABLE
                            : assay_violated(v, ASSAY_RELATION_NULL, c->bytes, c->event->error);
        if (c->event->error != ENOMEM)
            return assay_violated(v, ASSAY_RELATION_WRONG_ERRNO, ENOMEM, c->event->error);
        return ASSAY_OUTCOME_HOLDS;
    }
    if (c->bytes == 0 && c->profile->malloc_zero_null == ASSAY_ANSWER_YES)
        return assay_violated(v, ASSAY_RELATION_NOT_NULL, ASSAY_ADDRESS_NULL, c->event->address);
    struct assay_case as_malloc = *c;
    as_malloc.kind = ASSAY_OP_MALLOC;
    return assay_oracle_C02(&as_malloc, v) == ASSAY_OUTCOME_VIOLATED ? ASSAY_OUTCOME_VIOLATED
                                                                     : ASSAY_OUTCOME_HOLDS;
}

enum assay_outcome assay_oracle_C15(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->operand || c->bytes != 0 || c->overflow || c->kind == ASSAY_OP_REZALLOC)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->profile->realloc_zero == ASSAY_ZERO_RESIZE_FREES && c->succeeded)
        return assay_violated(v, ASSAY_RELATION_NOT_NULL, ASSAY_ADDRESS_NULL, c->event->address);
    if (c->profile->realloc_zero == ASSAY_ZERO_RESIZE_UNIQUE && !c->succeeded &&
        c->event->error != ENOMEM)
        return assay_violated(v, ASSAY_RELATION_NULL, 0, c->event->error);
    return ASSAY_OUTCOME_HOLDS;
}

/* C01, C11, C22: what must be granted, what must be refused, and with which errno. */
#include "oracles/oracle.h"

#include <errno.h>

bool assay_case_alignment_valid(const struct assay_case *c)
{
    switch (c->kind) {
    case ASSAY_OP_POSIX_MEMALIGN: return assay_power_of_two(c->alignment) && c->alignment >= 8;
    case ASSAY_OP_ALIGNED_ALLOC:
        return assay_power_of_two(c->alignment) && (c->bytes & (c->alignment - 1)) == 0;
    case ASSAY_OP_MEMALIGN: return assay_power_of_two(c->alignment);
    default: return true;
    }
}

/* Which alignments beyond the fundamental ones aligned_alloc and memalign support is up to them
 * (C17 6.2.8p3): who does not promise any may say EINVAL. */
static bool alignment_served(const struct assay_case *c)
{
    enum { FUNDAMENTAL = 16 };
    bool may_refuse = c->kind == ASSAY_OP_ALIGNED_ALLOC || c->kind == ASSAY_OP_MEMALIGN;
    bool unsupported = may_refuse && !c->succeeded && c->event->error == EINVAL;
    uint64_t most = c->profile->max_alignment ? c->profile->max_alignment
                    : unsupported             ? FUNDAMENTAL
                                              : ASSAY_PAGE_BYTES;
    return assay_case_alignment_valid(c) && c->alignment <= most;
}

bool assay_case_within_budget(const struct assay_case *c)
{
    uint64_t object = c->profile->budget_object_bytes, live = c->profile->budget_live_bytes;
    return !c->overflow && c->bytes <= object && c->live_bytes <= live &&
           c->bytes + c->alignment <= live - c->live_bytes && alignment_served(c);
}

bool assay_case_oversize(const struct assay_case *c)
{
    return !c->overflow && (c->bytes > PTRDIFF_MAX || c->bytes + c->alignment < c->bytes);
}

bool assay_case_errno_promised(const struct assay_case *c)
{
    switch (c->kind) {
    case ASSAY_OP_REZALLOC: return false; /* in no standard */
    case ASSAY_OP_MALLOC:
    case ASSAY_OP_CALLOC:
    case ASSAY_OP_REALLOC:
    case ASSAY_OP_REALLOCARRAY: return true;
    case ASSAY_OP_POSIX_MEMALIGN: return alignment_served(c);
    default: return c->profile->large_errno_everywhere == ASSAY_ANSWER_YES && alignment_served(c);
    }
}

enum assay_outcome assay_oracle_C01(const struct assay_case *c, struct assay_verdict *v)
{
    bool resized = c->operand != NULL;
    bool resize_kind = c->kind == ASSAY_OP_REALLOC || c->kind == ASSAY_OP_REALLOCARRAY;
    if (c->bytes == 0 || c->overflow || assay_case_oversize(c))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (resize_kind && (resized ? c->foreign : assay_case_judges(c, ASSAY_PROPERTY_C14)))
        return ASSAY_OUTCOME_NOT_APPLICABLE; /* C28 and C14 say the same of these */
    bool within = assay_case_within_budget(c);
    if (c->succeeded)
        return within ? ASSAY_OUTCOME_HOLDS : ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->scarcity)
        return ASSAY_OUTCOME_NOT_APPLICABLE; /* C33 judges refusals where memory ends */
    if (within && c->exact)
        return ASSAY_OUTCOME_NOT_APPLICABLE; /* as do C27, C30 and C35 of theirs */
    if (within)
        return assay_violated(v, ASSAY_RELATION_NULL, c->bytes, c->event->error);
    if (!assay_case_errno_promised(c))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->event->error != ENOMEM)
        return assay_violated(v, ASSAY_RELATION_WRONG_ERRNO, ENOMEM, c->event->error);
    return ASSAY_OUTCOME_HOLDS;
}

enum assay_outcome assay_oracle_C11(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->overflow)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->succeeded)
        return assay_violated(v, ASSAY_RELATION_NOT_NULL, ASSAY_ADDRESS_NULL, c->event->address);
    if (c->event->error != ENOMEM)
        return assay_violated(v, ASSAY_RELATION_WRONG_ERRNO, ENOMEM, c->event->error);
    if (assay_case_refusal_damage(c))
        return assay_fact_violated(v, (enum assay_fact)assay_case_refusal_damage(c));
    return ASSAY_OUTCOME_HOLDS;
}

enum assay_outcome assay_oracle_C22(const struct assay_case *c, struct assay_verdict *v)
{
    if (!assay_case_oversize(c))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->succeeded)
        return assay_violated(v, ASSAY_RELATION_NOT_NULL, ASSAY_ADDRESS_NULL, c->event->address);
    if ((c->judged & (UINT64_C(1) << ASSAY_PROPERTY_C01)) && assay_case_errno_promised(c) &&
        c->event->error != ENOMEM)
        return assay_violated(v, ASSAY_RELATION_WRONG_ERRNO, ENOMEM, c->event->error);
    return ASSAY_OUTCOME_HOLDS;
}

/* C02, C03, C21: alignment, by default and on request. */
#include "oracles/oracle.h"

static uint64_t default_alignment(const struct assay_case *c)
{
    if (c->profile->min_alignment)
        return c->profile->min_alignment;
    if (c->bytes >= ASSAY_DEFAULT_ALIGNMENT)
        return ASSAY_DEFAULT_ALIGNMENT;
    return c->bytes ? UINT64_C(1) << (63 - __builtin_clzll(c->bytes)) : 1;
}

enum assay_outcome assay_oracle_C02(const struct assay_case *c, struct assay_verdict *v)
{
    bool null_resize = !c->operand && c->kind != ASSAY_OP_MALLOC && c->kind != ASSAY_OP_CALLOC;
    if (!c->succeeded || (c->bytes == 0 && !c->profile->min_alignment))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (null_resize && c->kind != ASSAY_OP_REZALLOC && assay_case_judges(c, ASSAY_PROPERTY_C14))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    uint64_t alignment = default_alignment(c);
    if (c->event->address & (alignment - 1))
        return assay_violated(v, ASSAY_RELATION_OTHER, alignment,
                              c->event->address & (alignment - 1));
    return ASSAY_OUTCOME_HOLDS;
}

/* C17 and POSIX want a pointer for size 0 to be as if the size were not 0, so aligned; memalign,
 * valloc and pvalloc are in no standard. */
enum assay_outcome assay_oracle_C03(const struct assay_case *c, struct assay_verdict *v)
{
    bool standard = c->kind == ASSAY_OP_ALIGNED_ALLOC || c->kind == ASSAY_OP_POSIX_MEMALIGN;
    if (!c->succeeded || !assay_power_of_two(c->alignment) || (c->bytes == 0 && !standard))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (assay_case_oversize(c) && assay_case_judges(c, ASSAY_PROPERTY_C22))
        return ASSAY_OUTCOME_NOT_APPLICABLE; /* it should have been refused */
    if (c->event->address & (c->alignment - 1))
        return assay_violated(v, ASSAY_RELATION_OTHER, c->alignment,
                              c->event->address & (c->alignment - 1));
    if (c->kind == ASSAY_OP_PVALLOC && (c->event->flags & ASSAY_FLAG_USABLE)) {
        uint64_t slack = -c->bytes & (ASSAY_PAGE_BYTES - 1);
        if (c->event->usable_extra >= 0 && (uint64_t)c->event->usable_extra < slack) {
            v->offset = 1; /* not the alignment but the size */
            return assay_violated(v, ASSAY_RELATION_OTHER, c->bytes + slack,
                                  c->bytes + (uint64_t)c->event->usable_extra);
        }
    }
    return ASSAY_OUTCOME_HOLDS;
}

/* The profile's 'no' means that the allocator rounds up; without an answer both are right. */
enum assay_outcome assay_oracle_C21(const struct assay_case *c, struct assay_verdict *v)
{
    if (assay_power_of_two(c->alignment) || assay_case_oversize(c))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    uint8_t refuses = c->profile->aligned_alloc_refuses_bad_alignment;
    if (refuses == ASSAY_ANSWER_YES && c->succeeded)
        return assay_violated(v, ASSAY_RELATION_NOT_NULL, ASSAY_ADDRESS_NULL, c->event->address);
    if (refuses == ASSAY_ANSWER_NO && c->alignment != 0 && c->alignment <= ASSAY_PAGE_BYTES) {
        uint64_t rounded = UINT64_C(1) << (64 - __builtin_clzll(c->alignment));
        if (!c->succeeded && c->bytes && c->bytes <= ASSAY_PAGE_BYTES)
            return assay_violated(v, ASSAY_RELATION_NULL, rounded, c->event->error);
        if (c->event->address & (rounded - 1))
            return assay_violated(v, ASSAY_RELATION_OTHER, rounded,
                                  c->event->address & (rounded - 1));
    }
    return ASSAY_OUTCOME_HOLDS;
}

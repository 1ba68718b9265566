/* C19, C20: errno kept by free; posix_memalign's code and its *out. */
#include "oracles/oracle.h"

enum assay_outcome assay_oracle_C19(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->operand && !c->null_operand)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->foreign)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->event->error != 0 && c->scarcity && c->resources->calls)
        return ASSAY_OUTCOME_NOT_APPLICABLE; /* who cannot unmap or advise may be heard of it */
    if (c->event->error != 0)
        return assay_violated(v, ASSAY_RELATION_WRONG_ERRNO, 0, c->event->error);
    return ASSAY_OUTCOME_HOLDS;
}

/* The event holds the returned code in errno's place, and errno where a success has its usable
 * size. */
enum assay_outcome assay_oracle_C20(const struct assay_case *c, struct assay_verdict *v)
{
    bool bad = !assay_power_of_two(c->alignment) || c->alignment < sizeof(void *);
    uint8_t code = c->event->error;
    if (!bad && code == 0)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (bad && c->succeeded)
        return assay_violated(v, ASSAY_RELATION_NOT_NULL, EINVAL, code);
    if (bad && code != EINVAL && !(code == ENOMEM && assay_case_oversize(c)))
        return assay_violated(v, ASSAY_RELATION_WRONG_ERRNO, EINVAL, code);
    if (c->event->failed & ASSAY_FACT_OUT)
        return assay_violated(v, ASSAY_RELATION_OTHER, 0, c->event->address);
    bool keeps = c->profile->posix_memalign_keeps_errno == ASSAY_ANSWER_YES;
    bool scarce = c->resources->calls || c->resources->limited; /* then the system's calls set it */
    if (keeps && !scarce && !c->succeeded && c->event->usable_extra != 0)
        return assay_violated(v, ASSAY_RELATION_WRONG_ERRNO, 0, (uint64_t)c->event->usable_extra);
    return ASSAY_OUTCOME_HOLDS;
}

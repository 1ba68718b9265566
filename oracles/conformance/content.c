/* C08, C10, C23: what stands in memory. The executor looked; here its facts are judged. */
#include "oracles/oracle.h"

enum assay_outcome assay_oracle_C08(const struct assay_case *c, struct assay_verdict *v)
{
    if (!(c->event->checked & (ASSAY_FACT_CONTENT | ASSAY_FACT_SIBLINGS)))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->event->failed & ASSAY_FACT_CONTENT)
        return assay_case_no_memory(c) ? ASSAY_OUTCOME_NOT_APPLICABLE
                                       : assay_fact_violated(v, ASSAY_FACT_CONTENT);
    if (c->event->failed & ASSAY_FACT_SIBLINGS)
        return assay_fact_violated(v, ASSAY_FACT_SIBLINGS);
    return ASSAY_OUTCOME_HOLDS;
}

enum assay_outcome assay_oracle_C10(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->succeeded || !(c->event->checked & ASSAY_FACT_ZERO))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->event->failed & ASSAY_FACT_ZERO)
        return assay_case_no_memory(c) ? ASSAY_OUTCOME_NOT_APPLICABLE
                                       : assay_fact_violated(v, ASSAY_FACT_ZERO);
    return ASSAY_OUTCOME_HOLDS;
}

/* Evaluated whenever content is looked at and nothing but refused requests came since the heap
 * last changed. The damage itself is seen by C08; assay_content_blame() hands it over here when the
 * object was known to be whole before the refusal, so that only the refusal can have done it. */
enum assay_outcome assay_oracle_C23(const struct assay_case *c, struct assay_verdict *v)
{
    (void)v;
    bool looked = (c->refused && (c->event->checked & ASSAY_FACT_CONTENT)) ||
                  (c->refused_after && (c->event->checked & ASSAY_FACT_SIBLINGS));
    return looked ? ASSAY_OUTCOME_HOLDS : ASSAY_OUTCOME_NOT_APPLICABLE;
}

static enum assay_relation relation_of(const struct assay_event *evidence, uint8_t failed)
{
    if ((failed & ASSAY_FACT_READABLE) && evidence->size == 0 && evidence->value == 0)
        return ASSAY_RELATION_CRASH; /* the object's memory cannot even be touched */
    if (evidence->born != 0)
        return evidence->born == evidence->object ? ASSAY_RELATION_CONTENT_STALE
                                                  : ASSAY_RELATION_CONTENT_FOREIGN;
    return evidence->value == 0 ? ASSAY_RELATION_CONTENT_ZEROED : ASSAY_RELATION_CONTENT_UNKNOWN;
}

/* The byte lies in the slack [requested, usable) of the object whose pattern stands there: the
 * program wrote it there, trusting the usable size. */
static bool in_slack(const struct assay_model *model, const struct assay_event *evidence)
{
    const struct assay_object *damaged = assay_model_get(model, evidence->object);
    const struct assay_object *writer = assay_model_get(model, evidence->born);
    if (!damaged || !writer || writer == damaged || !(writer->flags & ASSAY_OBJECT_USABLE_KNOWN))
        return false;
    uint64_t offset = damaged->address + evidence->arg - writer->address;
    return offset >= writer->requested && offset < assay_object_usable(writer);
}

void assay_content_blame(struct assay_violation *violation, const struct assay_event *evidence,
                         const struct assay_model *model, uint64_t judged,
                         enum assay_property proved)
{
    violation->relation = (uint8_t)relation_of(evidence, violation->event.failed);
    violation->object = evidence->object;
    violation->other = evidence->born == evidence->object ? 0 : evidence->born;
    violation->offset = evidence->arg;
    violation->expected = evidence->size;
    violation->seen = evidence->value;
    if (violation->property != ASSAY_PROPERTY_C08)
        return;
    if ((judged >> ASSAY_PROPERTY_C09 & 1) && in_slack(model, evidence))
        violation->property = ASSAY_PROPERTY_C09;
    else if (proved != ASSAY_PROPERTY_NONE && (judged >> proved & 1))
        violation->property = (uint16_t)proved;
}

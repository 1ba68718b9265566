/* From a violated oracle to the report: the oracle is asked again for its evidence, and a failed
 * content fact waits for its EVIDENCE event, which decides relation and blame. */
#include "oracles/judge/state.h"

static uint32_t size_band(uint64_t bytes)
{
    return bytes ? 64 - (uint32_t)__builtin_clzll(bytes) : 0;
}

static void emit(struct assay_judge *judge, const struct assay_violation *violation)
{
    judge->violations[violation->property]++;
    if (judge->config.report)
        judge->config.report(judge->config.report_self, violation);
}

void assay_judge_said(struct assay_judge *judge, const struct assay_event *last)
{
    struct assay_violation violation = {.property = ASSAY_PROPERTY_C26,
                                        .kind = ASSAY_OP_CHECK, /* seen when all was through */
                                        .relation = ASSAY_RELATION_REPORT,
                                        .object = last->born ? last->born : last->object,
                                        .op_index = judge->op_index ? judge->op_index - 1 : 0,
                                        .event = *last};
    const struct assay_object *object = assay_model_get(&judge->model, violation.object);
    if (judge->tainted || !judge->config.legal || !(judge->judged >> ASSAY_PROPERTY_C26 & 1))
        return;
    violation.size_band = object ? size_band(object->requested) : 0;
    emit(judge, &violation);
}

/* Nothing but refused requests can have touched the object since it was known to be whole. */
static bool blame_refusal(const struct assay_judge *judge, const struct assay_judge_ground *ground,
                          uint32_t number)
{
    const struct assay_object *object = assay_model_get(&judge->model, number);
    if (!ground->refused || !object)
        return false;
    if (object->birth == ground->last_call)
        return true;
    return ground->checked && ground->last_checked < ground->last_refused &&
           (ground->checked_object == 0 || ground->checked_object == number);
}

static void set_band(const struct assay_judge *judge, struct assay_violation *violation,
                     uint32_t number)
{
    const struct assay_object *object = assay_model_get(&judge->model, number);
    if (object)
        violation->size_band = size_band(object->requested);
}

void assay_judge_flush(struct assay_judge *judge)
{
    unsigned count = judge->pending_count;
    judge->pending_count = 0;
    for (unsigned i = 0; i < count; i++)
        emit(judge, &judge->pending[i].violation);
}

void assay_judge_take_evidence(struct assay_judge *judge, const struct assay_event *evidence)
{
    struct assay_judge_pending further, *found = NULL;
    unsigned at = 0;
    for (; at < judge->pending_count; at++)
        if (judge->pending[at].fact & evidence->failed) {
            found = &judge->pending[at];
            break;
        }
    if (!found) {
        /* A sweep may find several damaged objects: one EVIDENCE each. */
        if (!(evidence->failed & judge->last.failed & ASSAY_FACT_SIBLINGS) || judge->tainted ||
            !(judge->judged >> ASSAY_PROPERTY_C08 & 1))
            return;
        further =
            (struct assay_judge_pending){.fact = ASSAY_FACT_SIBLINGS, .ground = judge->last_ground};
        further.violation.property = ASSAY_PROPERTY_C08;
        further.violation.kind = judge->last.kind;
        further.violation.op_index = judge->op_index ? judge->op_index - 1 : 0;
        further.violation.event = judge->last;
        found = &further;
    }
    struct assay_violation violation = found->violation;
    enum assay_property proved = found->ground.forked ? ASSAY_PROPERTY_C30
                                 : blame_refusal(judge, &found->ground, evidence->object)
                                     ? ASSAY_PROPERTY_C23
                                     : ASSAY_PROPERTY_NONE;
    if (found != &further)
        judge->pending[at] = judge->pending[--judge->pending_count];
    bool neighbour = violation.property == ASSAY_PROPERTY_C08;
    assay_content_blame(&violation, evidence, &judge->model, judge->judged, proved);
    neighbour &= violation.property == ASSAY_PROPERTY_C09; /* who wrote into what he may use */
    set_band(judge, &violation, neighbour ? violation.other : violation.object);
    emit(judge, &violation);
}

static __attribute__((noinline)) void violated(struct assay_judge *judge,
                                               const struct assay_case *c, unsigned property,
                                               const struct assay_verdict *v, uint32_t number)
{
    struct assay_violation violation = {
        .property = (uint16_t)property,
        .kind = c->kind,
        .relation = v->relation,
        .object = number,
        .other = v->other,
        .size_band = size_band(c->bytes),
        .op_index = c->op_index,
        .expected = v->expected,
        .seen = v->seen,
        .offset = v->offset,
        .event = *c->event,
    };
    const struct assay_object *operand = c->operand ? c->operand : c->dead;
    bool nothing = c->event->place == ASSAY_PLACE_NULL; /* whatever size is said to be its */
    if ((operand || nothing) && !assay_event_bears(c->event))
        violation.size_band = size_band(operand ? operand->requested : 0);
    const struct assay_object *other = assay_model_get(&judge->model, v->other);
    if (property == ASSAY_PROPERTY_C06 && other && other->address < c->event->address)
        violation.size_band = size_band(other->requested); /* it reaches into this one */
    if (v->fact == 0) {
        emit(judge, &violation);
        return;
    }
    if (judge->pending_count == ASSAY_JUDGE_PENDING)
        assay_judge_flush(judge);
    /* Operands are looked at before the call, siblings after it. */
    struct assay_judge_ground ground = judge->ground;
    if (v->fact == ASSAY_FACT_SIBLINGS) {
        ground.refused = c->refused_after;
        if (c->refused_now)
            ground.last_refused = c->op_index;
    }
    judge->unsettled = true;
    judge->pending[judge->pending_count++] =
        (struct assay_judge_pending){.violation = violation, .fact = v->fact, .ground = ground};
    judge->last = *c->event;
    judge->last_ground = ground;
}

typedef enum assay_outcome (*oracle_function)(const struct assay_case *, struct assay_verdict *);

static const oracle_function oracles[ASSAY_PROPERTY_COUNT] = {
#define ASSAY_PROPERTY(ID, statement, severity, needs, optional, source, policy, ops)              \
    [ASSAY_PROPERTY_##ID] = assay_oracle_##ID,
#include "oracles/properties.def"
#undef ASSAY_PROPERTY
};

enum assay_outcome assay_judge_ask(struct assay_judge *judge, const struct assay_case *c,
                                   unsigned property, uint32_t number)
{
    struct assay_verdict v = {0};
    enum assay_outcome outcome = oracles[property](c, &v);
    if (outcome == ASSAY_OUTCOME_VIOLATED)
        violated(judge, c, property, &v, number);
    return outcome;
}

__attribute__((noinline, cold)) void assay_judge_report(struct assay_judge *judge,
                                                        const struct assay_case *c, uint64_t bits,
                                                        uint32_t number)
{
    for (; bits != 0; bits &= bits - 1) {
        unsigned property = (unsigned)__builtin_ctzll(bits);
        assay_judge_ask(judge, c, property, number);
    }
}

/* T01-T05: what a program may do with one object, as an automaton per object.
 *
 *                 m              f
 *     before  ------->  live  ------->  after        m allocation ended, f free began, a access
 *       | a: T01          | a: fine       | a: T02
 *       | f: T04          | end: T05      | f: T03
 *
 * The model keeps the state (unborn, live, freed); each property is one forbidden edge, so its
 * monitor says false at that edge and is inconclusive until then. A resize frees its operand. */
#include "oracles/oracle.h"

enum letter { LETTER_ACCESS, LETTER_FREE, LETTER_END, LETTERS };
enum state { STATE_BEFORE, STATE_LIVE, STATE_AFTER, STATES };

static const enum assay_property forbidden[STATES][LETTERS] = {
    [STATE_BEFORE] = {[LETTER_ACCESS] = ASSAY_PROPERTY_T01, [LETTER_FREE] = ASSAY_PROPERTY_T04},
    [STATE_LIVE] = {[LETTER_END] = ASSAY_PROPERTY_T05},
    [STATE_AFTER] = {[LETTER_ACCESS] = ASSAY_PROPERTY_T02, [LETTER_FREE] = ASSAY_PROPERTY_T03},
};

static enum state state_of(const struct assay_case *c)
{
    if (c->dead)
        return STATE_AFTER;
    if (!c->operand)
        return STATE_BEFORE;
    return c->operand->state == ASSAY_OBJECT_FREED ? STATE_AFTER : STATE_LIVE;
}

static bool is_null(const struct assay_event *event)
{
    return event->place == ASSAY_PLACE_NULL ||
           (event->place == ASSAY_PLACE_OBJECT && event->object == 0);
}

static enum assay_outcome monitor(const struct assay_case *c, struct assay_verdict *v,
                                  enum assay_property property, enum letter letter)
{
    if (letter != LETTER_END && is_null(c->event))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (letter == LETTER_ACCESS && c->event->place != ASSAY_PLACE_OBJECT &&
        c->event->place != ASSAY_PLACE_WILD)
        return ASSAY_OUTCOME_NOT_APPLICABLE; /* stack and static objects are nobody's objects */
    if (forbidden[state_of(c)][letter] != property)
        return ASSAY_OUTCOME_HOLDS;
    const struct assay_object *object = c->dead ? c->dead : c->operand;
    uint64_t since = !object ? 0 : letter == LETTER_END ? object->birth : object->death;
    return assay_violated(v, ASSAY_RELATION_OTHER, since, c->event->address);
}

enum assay_outcome assay_oracle_T01(const struct assay_case *c, struct assay_verdict *v)
{
    return monitor(c, v, ASSAY_PROPERTY_T01, LETTER_ACCESS);
}

enum assay_outcome assay_oracle_T02(const struct assay_case *c, struct assay_verdict *v)
{
    return monitor(c, v, ASSAY_PROPERTY_T02, LETTER_ACCESS);
}

enum assay_outcome assay_oracle_T03(const struct assay_case *c, struct assay_verdict *v)
{
    return monitor(c, v, ASSAY_PROPERTY_T03, LETTER_FREE);
}

enum assay_outcome assay_oracle_T04(const struct assay_case *c, struct assay_verdict *v)
{
    return monitor(c, v, ASSAY_PROPERTY_T04, LETTER_FREE);
}

/* Called for every object, by its birth, when the stream is over. */
enum assay_outcome assay_oracle_T05(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->operand)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    return monitor(c, v, ASSAY_PROPERTY_T05, LETTER_END);
}

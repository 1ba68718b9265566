/* Ops that are misuse, and what the program did otherwise: rows that say what must come of them. */
#include "oracles/judge/rows.h"

__attribute__((noinline)) void assay_judge_misuse(struct assay_judge *judge,
                                                  const struct assay_event *event,
                                                  const struct assay_object *object, bool hung)
{
    struct assay_case c = {
        .event = event,
        .profile = &judge->config.profile,
        .judged = judge->judged,
        .op_index = judge->op_index,
        .last_call = judge->ground.last_call,
        .kind = event->kind,
        .hung = hung,
    };
    bool straight = event->place == ASSAY_PLACE_OBJECT &&
                    (!assay_op_has_offset(event->kind) || event->arg == 0);
    if (object && straight)
        *(object->state == ASSAY_OBJECT_LIVE ? &c.operand : &c.dead) = object;
    judge->tainted = true;
    assay_judge_run(judge, &c, event->kind, ASSAY_ROWS_MISUSE, event->object);
}

__attribute__((noinline)) void assay_judge_program(struct assay_judge *judge,
                                                   const struct assay_event *event,
                                                   const struct assay_object *object)
{
    struct assay_case c = {
        .event = event,
        .profile = &judge->config.profile,
        .judged = judge->judged,
        .op_index = judge->op_index,
        .kind = event->kind,
    };
    bool straight = !assay_op_has_offset(event->kind) || event->arg == 0;
    if (object && object->state == ASSAY_OBJECT_AMBIGUOUS)
        return;
    if (object && straight && object->state != ASSAY_OBJECT_UNBORN)
        *(object->state == ASSAY_OBJECT_FREED ? &c.dead : &c.operand) = object;
    assay_judge_run(judge, &c, event->kind, ASSAY_ROWS_PROGRAM, event->object);
}

void assay_judge_leaks(struct assay_judge *judge)
{
    for (uint32_t number = 1; number <= judge->model.highest; number++) {
        const struct assay_object *object = &judge->model.objects[number];
        bool doubtful = object->state == ASSAY_OBJECT_AMBIGUOUS;
        if (object->state == ASSAY_OBJECT_UNBORN || doubtful ||
            (object->flags & ASSAY_OBJECT_PREEXISTING))
            continue;
        const struct assay_event event = {.kind = object->api,
                                          .born = number,
                                          .size = object->requested,
                                          .arg = object->api == ASSAY_OP_CALLOC,
                                          .address = object->address};
        struct assay_case c = {.event = &event,
                               .profile = &judge->config.profile,
                               .operand = object,
                               .judged = judge->judged,
                               .op_index = object->birth,
                               .bytes = object->requested,
                               .kind = object->api};
        judge->evaluations[ASSAY_PROPERTY_T05]++;
        assay_judge_report(judge, &c, UINT64_C(1) << ASSAY_PROPERTY_T05, number);
    }
}

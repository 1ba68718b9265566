/* What is no legal op: a misuse of the allocator, or an access that misses its object. */
#ifndef ASSAY_JUDGE_MISUSE_H
#define ASSAY_JUDGE_MISUSE_H

#include "oracles/judge/state.h"

static inline __attribute__((always_inline)) bool
assay_judge_is_misuse(const struct assay_event *event, const struct assay_object *object,
                      unsigned kind, unsigned op_class)
{
    if (event->flags & ASSAY_FLAG_MISUSE)
        return true;
    if (op_class == ASSAY_CLASS_ALLOCATE || assay_op_of_heap(kind) || kind == ASSAY_OP_CHECK)
        return false;
    if (event->place != ASSAY_PLACE_OBJECT)
        return event->place != ASSAY_PLACE_NULL && event->place != ASSAY_PLACE_WILD;
    if (!object)
        return false;
    if (object->state == ASSAY_OBJECT_FREED)
        return true;
    if (op_class == ASSAY_CLASS_ACCESS)
        return (kind == ASSAY_OP_STORE && object->state == ASSAY_OBJECT_LIVE &&
                event->arg >= object->requested) ||
               (kind == ASSAY_OP_WRITE && object->state == ASSAY_OBJECT_LIVE &&
                (event->arg > object->requested || event->size > object->requested - event->arg));
    return assay_op_has_offset(kind) && kind != ASSAY_OP_OBJECT_SIZE && event->arg != 0;
}

#endif

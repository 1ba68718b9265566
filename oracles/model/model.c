#include "oracles/model/model.h"

#include <string.h>

size_t assay_model_bytes(uint32_t max_objects, uint32_t max_live)
{
    if (max_live == 0 || max_live > max_objects)
        max_live = max_objects;
    return ((size_t)max_objects + 1) * sizeof(struct assay_object) + 64 +
           assay_index_bytes(max_objects, max_live);
}

bool assay_model_create(struct assay_model *model, struct assay_arena *arena, uint32_t max_objects,
                        uint32_t max_live)
{
    if (max_live == 0 || max_live > max_objects)
        max_live = max_objects;
    *model = (struct assay_model){.max_objects = max_objects};
    model->objects =
        assay_arena_take(arena, ((size_t)max_objects + 1) * sizeof(struct assay_object), 64);
    return model->objects && assay_index_create(&model->index, arena, max_objects, max_live);
}

void assay_model_reset(struct assay_model *model)
{
    memset(model->objects, 0, ((size_t)model->highest + 1) * sizeof(struct assay_object));
    assay_index_reset(&model->index, model->highest, model->max_objects);
    model->highest = 0;
    model->live_count = 0;
    model->live_bytes = 0;
    model->op_index = 0;
}

void assay_model_bear(struct assay_model *model, uint32_t number,
                      struct assay_index_conflict *ret_conflict)
{
    struct assay_object *object = &model->objects[number];
    object->state = ASSAY_OBJECT_LIVE;
    if (number > model->highest)
        model->highest = number;
    model->live_count++;
    model->live_bytes += assay_object_span(object);
    assay_index_insert(&model->index, model->objects, number, ret_conflict);
}

void assay_model_end(struct assay_model *model, uint32_t number, enum assay_object_state state)
{
    struct assay_object *object = &model->objects[number];
    object->state = (uint8_t)state;
    object->death = model->op_index > UINT32_MAX ? UINT32_MAX : (uint32_t)model->op_index;
    model->live_count--;
    model->live_bytes -= assay_object_span(object);
    assay_index_remove(&model->index, model->objects, number);
}

void assay_model_revive(struct assay_model *model, uint32_t number,
                        struct assay_index_conflict *ret_conflict)
{
    model->objects[number].death = 0;
    assay_model_bear(model, number, ret_conflict);
}

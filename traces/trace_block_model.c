#include "traces/trace_block_model.h"

#include <stdlib.h>
#include <string.h>

#include "traces/core/hash.h"

void block_model_start(struct block_model *model, uint32_t base_born)
{
    model->base_born = model->next_born = base_born;
    model->context = 0;
    model->ticks = 0;
    predict_reset(&model->predict);
    memset(model->usable, 0, sizeof model->usable);
}

uint64_t block_operand_address(const struct block_model *model, const struct assay_event *event)
{
    if (event->place == ASSAY_PLACE_WILD)
        return event->arg;
    if (event->place != ASSAY_PLACE_OBJECT)
        return 0;
    const struct assay_object_entry *entry = assay_object_map_get(&model->births, event->object);
    if (!entry)
        return 0;
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    bool offset = op_class == ASSAY_CLASS_RESIZE || op_class == ASSAY_CLASS_RELEASE;
    if (event->kind == ASSAY_OP_REALLOCARRAY || event->kind == ASSAY_OP_FREE_ALIGNED_SIZED)
        offset = false;
    return entry->value + (offset ? event->arg : 0);
}

uint32_t block_units_of(const struct assay_event *event)
{
    uint64_t bytes;
    assay_event_bytes(event, &bytes);
    return predict_units(bytes);
}

static void model_forget(struct block_model *model, uint32_t context, uint32_t object,
                         uint64_t unless)
{
    const struct assay_object_entry *entry = assay_object_map_get(&model->births, object);
    if (!entry)
        return;
    if (object >= model->base_born && entry->value != unless)
        predict_freed(&model->predict, context, entry->extra, entry->value);
    assay_object_map_remove(&model->births, object);
}

int block_model_after(struct block_model *model, const struct assay_event *event)
{
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    if (op_class == ASSAY_CLASS_RELEASE && event->object) {
        model_forget(model, block_context_of(event), event->object, 0);
    } else if (block_bears(event)) {
        model->next_born = event->born + 1;
        if (op_class == ASSAY_CLASS_RESIZE && event->object)
            model_forget(model, block_context_of(event), event->object, event->address);
        if (event->address != 0)
            return assay_object_map_put(&model->births, event->born, event->address,
                                        block_units_of(event));
    }
    return 0;
}

/* Slot for the usable size of objects of this size. */
static size_t usable_slot(uint64_t bytes)
{
    return (size_t)(assay_mix64(bytes) & (USABLE_SLOTS - 1));
}

bool block_usable_expected(const struct block_model *model, uint64_t bytes, int32_t *ret_extra)
{
    size_t slot = usable_slot(bytes);
    *ret_extra = model->usable[slot].extra;
    return model->usable[slot].known && model->usable[slot].bytes == bytes;
}

void block_usable_learn(struct block_model *model, uint64_t bytes, int32_t extra)
{
    size_t slot = usable_slot(bytes);
    model->usable[slot].bytes = bytes;
    model->usable[slot].extra = extra;
    model->usable[slot].known = true;
}

int block_reserve(uint8_t **buffer, size_t *room, size_t n)
{
    if (n <= *room)
        return 0;
    uint8_t *bigger = realloc(*buffer, n);
    if (!bigger)
        return ASSAY_E_MEMORY;
    *buffer = bigger;
    *room = n;
    return 0;
}

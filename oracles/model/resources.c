#include "oracles/model/resources.h"

void assay_resources_reset(struct assay_resources *r)
{
    if (r->used)
        *r = (struct assay_resources){0};
}

void assay_resources_take(struct assay_resources *r, const struct assay_model *model,
                          const struct assay_event *event)
{
    uint32_t calls = (uint32_t)event->arg & 0xff;
    bool failing = r->scarcity == ASSAY_SCARCITY_CALLS;
    if (event->kind == ASSAY_OP_LIMIT) {
        r->limited = event->size != 0;
        r->largest_alone = r->freed_bytes = r->last_freed = r->refused_in_row = 0;
    } else {
        if (calls && !r->refused)
            r->warm = model->highest > 0;
        r->refused |= calls != 0;
        r->calls = calls ? r->calls | calls : 0;
        failing = calls != 0;
    }
    bool now = failing || r->limited, ever = r->scarcity != ASSAY_SCARCITY_NONE;
    r->used |= now;
    r->scarcity = failing      ? ASSAY_SCARCITY_CALLS
                  : r->limited ? ASSAY_SCARCITY_LIMIT
                  : ever       ? ASSAY_SCARCITY_OVER
                               : ASSAY_SCARCITY_NONE;
}

/* True if some object stands where an earlier one stood; the first ones' places are remembered. Two
 * live ones at one place would be C05. */
static bool reuses(const struct assay_model *model)
{
    enum { FIRST = 1024, SLOTS_LOG2 = 12, SLOTS = 1 << SLOTS_LOG2 };
    uint64_t slots[SLOTS] = {0};
    for (uint32_t number = 1; number <= model->highest; number++) {
        const struct assay_object *object = &model->objects[number];
        if (object->state == ASSAY_OBJECT_UNBORN)
            continue;
        size_t at = (size_t)(object->address * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SLOTS_LOG2));
        while (slots[at] != 0 && slots[at] != object->address)
            at = (at + 1) % SLOTS;
        if (slots[at] == object->address)
            return true;
        if (number <= FIRST)
            slots[at] = object->address;
    }
    return false;
}

void assay_resources_look(struct assay_resources *r, const struct assay_model *model)
{
    r->reused = r->reused || reuses(model);
}

void assay_resources_measure(struct assay_resources *r, const struct assay_model *model,
                             const struct assay_event *event)
{
    uint64_t passes = event->size;
    r->used = true;
    if (event->arg >= ASSAY_MEASURES || passes == 0 || (passes & (passes - 1)) != 0 ||
        passes >> ASSAY_PASSES_LOG2 != 0)
        return;
    unsigned k = (unsigned)__builtin_ctzll(passes);
    r->after[event->arg][k] = event->value;
    r->measured[event->arg] |= UINT32_C(1) << k;
    r->deaths = model->highest - model->live_count;
    assay_resources_look(r, model);
}

void assay_resources_note(struct assay_resources *r, const struct assay_model *model,
                          uint64_t released, uint64_t granted, bool refused)
{
    if (released) {
        r->freed_bytes += released;
        r->last_freed = released;
        r->refused_in_row = 0;
    } else if (granted) {
        r->freed_bytes = r->refused_in_row = 0;
        if (model->live_count == 1 && granted > r->largest_alone)
            r->largest_alone = granted;
    } else if (refused) {
        r->refused_in_row++;
    }
}

#include "oracles/model/resources.h"

void assay_resources_reset(struct assay_resources *r)
{
    if (r->used)
        *r = (struct assay_resources){0};
}

void assay_resources_take(struct assay_resources *r, const struct assay_model *model,
                          const struct assay_event *event)
{
    if (event->kind == ASSAY_OP_TURNOVER) {
        r->used = true;
        r->turned_least =
            r->turned && r->turned_least < event->size ? r->turned_least : event->size;
        r->turned_most = r->turned_most > event->size ? r->turned_most : event->size;
        r->turned += event->value;
        r->turned_bytes += event->value * event->size;
        return;
    }
    uint32_t calls = (uint32_t)event->arg & 0xff;
    bool failing = r->scarcity == ASSAY_SCARCITY_CALLS;
    if (event->kind == ASSAY_OP_LIMIT) {
        r->limited = event->size != 0;
        r->largest_alone = r->freed_bytes = r->last_freed = 0;
        r->refused_in_row = r->refused_smaller = 0;
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
 * live ones at one place would be C05. What is resized may stay where it is. */
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
        if (slots[at] == object->address &&
            assay_op_info(object->api)->op_class != ASSAY_CLASS_RESIZE)
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

enum {
    SAMPLE = 1024,
    PLACES_LOG2 = 12,
    PLACES = 1 << PLACES_LOG2,
    KINDS = 48,
    LEAST_KIND = 4,
    LARGE_KIND = 16
};

struct place {
    uint64_t address;
    uint8_t kind; /* of the first of the sample there */
    bool first;   /* it was the first thread's */
    bool old;     /* it had been handed out before the sample */
};

static struct place *place_of(struct place *places, uint64_t address)
{
    size_t at = (size_t)(address * UINT64_C(0x9e3779b97f4a7c15) >> (64 - PLACES_LOG2));
    while (places[at].address != 0 && places[at].address != address)
        at = (at + 1) % PLACES;
    return &places[at];
}

static unsigned kind_of(const struct assay_object *object)
{
    uint64_t bytes = object->requested | UINT64_C(1) << LEAST_KIND;
    return 63 - (unsigned)__builtin_clzll(bytes);
}

static bool is_fresh(uint32_t born, uint32_t again)
{
    return again < (born + 3) / 4;
}

/* Looks at objects half-way, for a queue may be full just now: whether they stand where earlier
 * ones stood. A queue takes what is small up to some size, or keeps mappings of what is large from
 * some size on. */
static void look_for_fresh(struct assay_resources *r, const struct assay_model *model)
{
    struct place places[PLACES] = {0};
    uint32_t born[KINDS] = {0}, again[KINDS] = {0}, born_first = 0, again_first = 0;
    uint64_t bytes[KINDS] = {0};
    uint32_t from = model->highest / 2, to = from + SAMPLE;
    uint64_t least = r->turned ? r->turned_least : UINT64_MAX, most = r->turned_most;
    r->requested_bytes = r->turned_bytes;
    r->first_bytes = r->first_objects = 0;
    for (uint32_t number = from + 1; number <= to && number <= model->highest; number++) {
        const struct assay_object *object = &model->objects[number];
        if (object->state == ASSAY_OBJECT_UNBORN || object->address == 0 ||
            assay_op_info(object->api)->op_class == ASSAY_CLASS_RESIZE)
            continue; /* what is resized may stay where it is */
        struct place *place = place_of(places, object->address);
        unsigned kind = kind_of(object);
        bool first = object->owner == 0, stood = place->address != 0;
        born[kind]++;
        again[kind] += stood;
        born_first += first;
        again_first += first && stood;
        if (!stood)
            *place =
                (struct place){.address = object->address, .kind = (uint8_t)kind, .first = first};
    }
    for (uint32_t number = 1; number <= model->highest; number++) {
        const struct assay_object *object = &model->objects[number];
        if (object->state == ASSAY_OBJECT_UNBORN || object->address == 0)
            continue;
        bytes[kind_of(object)] += object->requested;
        r->requested_bytes += object->requested;
        r->first_bytes += object->owner == 0 ? object->requested : 0;
        r->first_objects += object->owner == 0;
        least = object->requested < least ? object->requested : least;
        most = object->requested > most ? object->requested : most;
        struct place *place = number <= from ? place_of(places, object->address) : NULL;
        if (place && place->address != 0 && !place->old) {
            place->old = true;
            again[place->kind]++;
            again_first += place->first;
        }
    }
    r->one_size = least == most;
    r->first_reuses = born_first > 0 && !is_fresh(born_first, again_first);
    r->fresh = (struct assay_fresh_sizes){.least_bytes = UINT64_MAX};
    bool up = true, down = true; /* all that were seen from either end so far are fresh */
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned small = i, large = KINDS - 1 - i;
        up = up && (born[small] == 0 || is_fresh(born[small], again[small]));
        down = down && (born[large] == 0 || is_fresh(born[large], again[large]));
        if (up && born[small] && bytes[small] < r->fresh.least_bytes)
            r->fresh.least_bytes = bytes[small];
        if (down && born[large] && large >= LARGE_KIND && bytes[large] > r->fresh.mapped_bytes)
            r->fresh.mapped_bytes = bytes[large];
    }
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
    r->deaths = model->highest - model->live_count + r->turned;
    assay_resources_look(r, model);
    if (k > 0 && r->after[event->arg][k] > r->after[event->arg][k - 1])
        look_for_fresh(r, model);
}

void assay_resources_note(struct assay_resources *r, const struct assay_model *model,
                          uint64_t released, uint64_t granted, uint64_t refused)
{
    if (released) {
        r->freed_bytes += released;
        r->last_freed = released;
        r->refused_in_row = r->refused_smaller = 0;
    } else if (granted) {
        r->freed_bytes = r->refused_in_row = r->refused_smaller = 0;
        if (model->live_count == 1 && granted > r->largest_alone)
            r->largest_alone = granted;
    } else if (refused) {
        r->refused_in_row++;
        r->refused_smaller += assay_resources_smaller(r, refused);
    }
}

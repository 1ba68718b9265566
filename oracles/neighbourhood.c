#include "oracles/neighbourhood.h"

#include <stdlib.h>
#include <string.h>

enum { CLOSE_BYTES = 256, CANDIDATES_MAX = 1 << 17, SIDE = 4 };

const char *assay_object_state_name(unsigned state)
{
    switch (state) {
    case ASSAY_OBJECT_LIVE: return "live";
    case ASSAY_OBJECT_RESIZING: return "being resized";
    case ASSAY_OBJECT_FREED: return "freed";
    case ASSAY_OBJECT_AMBIGUOUS: return "resized to nothing";
    default: return "unborn";
    }
}

static bool has_place(const struct assay_object *object)
{
    return object->state != ASSAY_OBJECT_UNBORN && object->address != ASSAY_ADDRESS_NULL;
}

static bool lives(unsigned state)
{
    return state == ASSAY_OBJECT_LIVE || state == ASSAY_OBJECT_RESIZING;
}

static uint64_t extent(const struct assay_object *object)
{
    uint64_t usable = object->flags & ASSAY_OBJECT_USABLE_KNOWN ? assay_object_usable(object) : 0;
    return usable > assay_object_span(object) ? usable : assay_object_span(object);
}

uint32_t assay_neighbourhood_find(const struct assay_model *model, uint64_t address,
                                  int64_t *ret_offset)
{
    uint32_t live = 0, dead = 0, close = 0;
    uint64_t least = CLOSE_BYTES;
    for (uint32_t n = 1; n <= model->highest; n++) {
        const struct assay_object *object = &model->objects[n];
        if (!has_place(object))
            continue;
        uint64_t into = address - object->address;
        if (into < extent(object)) {
            if (lives(object->state))
                live = n;
            else
                dead = n; /* of several the last born */
            continue;
        }
        uint64_t gap =
            address < object->address ? object->address - address : into - extent(object) + 1;
        if (lives(object->state) && gap < least) {
            close = n;
            least = gap;
        }
    }
    uint32_t found = live ? live : dead ? dead : close;
    if (found)
        *ret_offset = (int64_t)(address - model->objects[found].address);
    return found;
}

/* ---- a snapshot ---- */

static struct assay_neighbour neighbour_of(uint32_t number, const struct assay_object *object,
                                           uint64_t focus)
{
    bool usable = object->flags & ASSAY_OBJECT_USABLE_KNOWN;
    return (struct assay_neighbour){.object = number,
                                    .state = object->state,
                                    .api = object->api,
                                    .usable_known = usable,
                                    .birth = object->birth,
                                    .death = object->death,
                                    .requested = object->requested,
                                    .usable = usable ? assay_object_usable(object) : 0,
                                    .from = (int64_t)(object->address - focus)};
}

/* The object as the model has it, or as the violating event made it. */
static bool look_up(const struct assay_model *model, const struct assay_violation *v,
                    uint32_t number, struct assay_object *ret_object)
{
    const struct assay_object *object = assay_model_get(model, number);
    const struct assay_event *event = &v->event;
    if (!object)
        return false;
    *ret_object = *object;
    if (object->state != ASSAY_OBJECT_UNBORN)
        return true;
    if (!assay_event_bears(event) || event->born != number || event->address == ASSAY_ADDRESS_NULL)
        return false;
    uint64_t bytes;
    assay_event_bytes(event, &bytes);
    *ret_object = (struct assay_object){.address = event->address,
                                        .usable_extra = event->usable_extra,
                                        .birth = (uint32_t)v->op_index,
                                        .api = event->kind,
                                        .state = ASSAY_OBJECT_LIVE};
    ret_object->requested = bytes & ((UINT64_C(1) << 48) - 1);
    if (event->flags & ASSAY_FLAG_USABLE)
        ret_object->flags = ASSAY_OBJECT_USABLE_KNOWN;
    return true;
}

static void add_concerned(const struct assay_model *model, const struct assay_violation *v,
                          uint32_t number, uint64_t focus, struct assay_neighbourhood *ret)
{
    struct assay_object object;
    for (unsigned i = 0; i < ret->concerned_count; i++)
        if (ret->concerned[i].object == number)
            return;
    if (number && ret->concerned_count < ASSAY_CONCERNED_MAX && look_up(model, v, number, &object))
        ret->concerned[ret->concerned_count++] = neighbour_of(number, &object, focus);
}

/* Live ones first, then the last born. */
static int by_worth(const void *a, const void *b)
{
    const struct assay_neighbour *x = a, *y = b;
    if (lives(x->state) != lives(y->state))
        return lives(x->state) ? -1 : 1;
    return x->object < y->object ? 1 : x->object > y->object ? -1 : 0;
}

static int by_place(const void *a, const void *b)
{
    const struct assay_neighbour *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->object < y->object ? -1 : x->object > y->object ? 1 : 0;
}

static int64_t end_of(const struct assay_neighbour *n)
{
    uint64_t bytes = n->usable > n->requested ? n->usable : n->requested;
    return n->from + (int64_t)(bytes ? bytes : 1);
}

static bool is_concerned(const struct assay_neighbourhood *ret, uint32_t number)
{
    for (unsigned i = 0; i < ret->concerned_count; i++)
        if (ret->concerned[i].object == number)
            return true;
    return false;
}

/* Of the dead only those whose place nobody took since; returns how many are left. */
static size_t keep_visible(const struct assay_neighbourhood *ret, struct assay_neighbour *all,
                           size_t n)
{
    enum { KEPT_MAX = 1024 };
    size_t kept = 0;
    qsort(all, n, sizeof *all, by_worth);
    for (size_t i = 0; i < n && kept < KEPT_MAX; i++) {
        bool covered = false;
        for (size_t k = 0; k < kept && !covered && !lives(all[i].state); k++)
            covered = all[i].from < end_of(&all[k]) && all[k].from < end_of(&all[i]);
        if (!covered || is_concerned(ret, all[i].object))
            all[kept++] = all[i];
    }
    return kept;
}

/* The focus, what shares its place, and a few on each side. */
static void choose(struct assay_neighbourhood *ret, struct assay_neighbour *all, size_t n)
{
    size_t at = 0;
    qsort(all, n, sizeof *all, by_place);
    while (at < n && all[at].object != ret->focus)
        at++;
    size_t first = at > SIDE ? at - SIDE : 0;
    for (size_t i = first; i < n && ret->near_count < ASSAY_NEIGHBOURS_MAX; i++)
        if (i <= at + SIDE || is_concerned(ret, all[i].object))
            ret->near[ret->near_count++] = all[i];
}

static void look_around(const struct assay_model *model, const struct assay_object *focus,
                        struct assay_neighbourhood *ret)
{
    struct assay_neighbour *all = calloc(CANDIDATES_MAX, sizeof *all);
    size_t n = 0;
    if (!all)
        return;
    all[n++] = neighbour_of(ret->focus, focus, focus->address);
    for (uint32_t i = 1; i <= model->highest && n < CANDIDATES_MAX; i++) {
        const struct assay_object *object = &model->objects[i];
        if (!has_place(object) || i == ret->focus)
            continue;
        uint64_t from = object->address, to = from + extent(object);
        if (to + ASSAY_NEIGHBOURHOOD_REACH > focus->address &&
            from < focus->address + extent(focus) + ASSAY_NEIGHBOURHOOD_REACH)
            all[n++] = neighbour_of(i, object, focus->address);
    }
    n = keep_visible(ret, all, n);
    choose(ret, all, n);
    free(all);
}

void assay_neighbourhood_take(const struct assay_model *model,
                              const struct assay_violation *violation, const uint64_t *fault,
                              struct assay_neighbourhood *ret_neighbourhood)
{
    struct assay_neighbourhood *ret = ret_neighbourhood;
    struct assay_object focus = {0};
    int64_t offset = 0;
    memset(ret, 0, sizeof *ret);
    ret->focus = fault ? assay_neighbourhood_find(model, *fault, &offset) : 0;
    const uint32_t candidates[] = {ret->focus, violation->object, violation->other,
                                   violation->event.born, violation->event.object};
    enum { CANDIDATES = sizeof candidates / sizeof *candidates };
    bool placed = false;
    for (unsigned i = 0; i < CANDIDATES && !placed; i++) {
        placed = candidates[i] && look_up(model, violation, candidates[i], &focus) &&
                 focus.address != ASSAY_ADDRESS_NULL;
        if (placed && ret->focus != candidates[i])
            ret->focus = candidates[i];
        else if (placed)
            ret->at_known = true;
    }
    if (!placed)
        ret->focus = 0;
    for (unsigned i = 0; i < CANDIDATES; i++)
        add_concerned(model, violation, candidates[i], focus.address, ret);
    if (!placed)
        return;
    if (ret->at_known) {
        ret->at = offset;
    } else if (violation->relation >= ASSAY_RELATION_CONTENT_ZEROED &&
               violation->relation <= ASSAY_RELATION_CONTENT_UNKNOWN &&
               ret->focus == violation->object) {
        ret->at_known = true;
        ret->at = (int64_t)violation->offset;
    }
    look_around(model, &focus, ret);
}

/* What a new object's place says: whom it overlaps, and whether a sized free is to blame. */
#include "oracles/judge/state.h"
#include "oracles/model/representable.h"

__attribute__((noinline, cold)) uint8_t
assay_judge_describe_overlap(const struct assay_judge *judge, struct assay_index_conflict conflict,
                             uint64_t address, uint64_t bytes)
{
    const struct assay_object *other =
        assay_model_get(&judge->model, conflict.requested ? conflict.requested : conflict.usable);
    uint8_t flags = 0;
    if (other->address == address)
        flags |= ASSAY_OVERLAP_SAME_START;
    if (other->address == address && other->requested == 0 && bytes == 0)
        flags |= ASSAY_OVERLAP_BOTH_EMPTY;
    if (other->flags & ASSAY_OBJECT_SURVIVOR)
        flags |= ASSAY_OVERLAP_SURVIVOR;
    return flags;
}

/* Whose bytes do the bounds of a new object reach, or whose bounds reach its bytes? */
struct reach {
    const struct assay_object *objects;
    uint32_t number, found;
    unsigned mantissa;
};

static bool reaches(const struct assay_object *a, const struct assay_object *b, unsigned mantissa)
{
    uint64_t from, to;
    assay_representable_bounds(a->address, assay_object_span(a), mantissa, &from, &to);
    return from < b->address + assay_object_span(b) && b->address < to;
}

static bool reaches_other(void *self, uint32_t number)
{
    struct reach *reach = self;
    const struct assay_object *mine = &reach->objects[reach->number],
                              *other = &reach->objects[number];
    if (number == reach->number ||
        (!reaches(mine, other, reach->mantissa) && !reaches(other, mine, reach->mantissa)))
        return true;
    reach->found = number;
    return false;
}

/* Looks at both sides of the object, as far as its own bounds and those of small objects reach;
 * bounds that are rounded by more than two pages are those of large ones. */
__attribute__((noinline)) uint32_t assay_judge_find_rounded(struct assay_judge *judge,
                                                            uint32_t number)
{
    unsigned mantissa = judge->config.profile.cheri_mantissa;
    const struct assay_object *object = &judge->model.objects[number];
    struct reach reach = {judge->model.objects, number, 0, mantissa};
    uint64_t from, to, span = assay_object_span(object); /* may go beyond the last address */
    assay_representable_bounds(object->address, span, mantissa, &from, &to);
    uint64_t own = to - from > span ? to - from - span : 0;
    judge->widest = own > judge->widest ? own : judge->widest;
    uint64_t most = UINT64_C(2) * ASSAY_PAGE_BYTES;
    uint64_t small = judge->widest < most ? judge->widest : most;
    uint64_t end = span < UINT64_MAX - object->address ? object->address + span : UINT64_MAX;
    assay_index_each(&judge->model.index, from > small ? from - small : 0, object->address,
                     judge->widest, reaches_other, &reach);
    if (reach.found == 0)
        assay_index_each(&judge->model.index, end,
                         to < UINT64_MAX - small ? to + small : UINT64_MAX, judge->widest,
                         reaches_other, &reach);
    return reach.found;
}

/* The new object's place is too small for it, and the one that stood there last, in a slot as
 * small, was freed by a sized release, while the same request got a place that is large enough
 * elsewhere: the slot went back to another class. */
__attribute__((noinline, cold)) bool assay_judge_misplaced(const struct assay_judge *judge,
                                                           uint32_t number)
{
    const struct assay_object *objects = judge->model.objects, *own = &objects[number];
    const struct assay_object *last = NULL;
    bool proof = false;
    for (uint32_t i = 1; i <= judge->model.highest; i++) {
        const struct assay_object *other = &objects[i];
        if (i == number || other->state == ASSAY_OBJECT_UNBORN)
            continue;
        if (other->state == ASSAY_OBJECT_FREED && other->address == own->address &&
            (!last || other->death >= last->death))
            last = other;
        proof |= other->address != own->address && other->requested == own->requested &&
                 other->api == own->api && other->usable_extra >= 0;
    }
    if (!proof || !last || !(last->flags & ASSAY_OBJECT_SIZED))
        return false;
    /* a slot that is large enough, handed out twice, is an overlap and nothing else */
    return (int64_t)last->requested + last->usable_extra < (int64_t)own->requested;
}

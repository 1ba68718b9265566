/* How the model learns of a new object: inlined into the functions per op kind. */
#ifndef ASSAY_JUDGE_BEAR_H
#define ASSAY_JUDGE_BEAR_H

#include "oracles/judge/state.h"

static inline __attribute__((always_inline)) void assay_judge_fill(struct assay_object *object,
                                                                   const struct assay_case *c)
{
    const struct assay_event *event = c->event;
    /* What had to be refused cannot be as large as it says: only its first byte is its own. */
    bool impossible = c->overflow || assay_case_oversize(c);
    bool usable = (event->flags & ASSAY_FLAG_USABLE) && !impossible;
    uint64_t most = impossible ? 0 : UINT64_C(0xffffffffffff);
    uint64_t alignment = assay_power_of_two(c->alignment) ? c->alignment : 0;
    if (c->operand && c->profile->realloc_keeps_alignment == ASSAY_ANSWER_YES)
        alignment = c->operand->alignment_log2 ? UINT64_C(1) << c->operand->alignment_log2 : 0;
    object->address = event->address;
    object->requested_and_owner = (c->bytes > most ? most : c->bytes) | (uint64_t)event->thread
                                                                            << 48;
    object->usable_extra = usable ? event->usable_extra : 0;
    object->birth = c->op_index > UINT32_MAX ? UINT32_MAX : (uint32_t)c->op_index;
    object->death = 0;
    object->api = c->kind;
    object->alignment_log2 = alignment > 1 ? (uint8_t)__builtin_ctzll(alignment) : 0;
    object->flags = usable ? ASSAY_OBJECT_USABLE_KNOWN | ASSAY_OBJECT_EXTENT_USABLE : 0;
    if (event->flags & ASSAY_FLAG_PREEXISTING)
        object->flags |= ASSAY_OBJECT_PREEXISTING;
}

static inline __attribute__((always_inline)) void
assay_judge_bear(struct assay_judge *judge, struct assay_case *c, uint32_t number)
{
    struct assay_object *object = assay_model_get(&judge->model, number);
    struct assay_index_conflict conflict;
    if (!object || object->state == ASSAY_OBJECT_LIVE)
        return;
    assay_judge_fill(object, c);
    assay_model_bear(&judge->model, number, &conflict);
    if (__builtin_expect((conflict.requested | conflict.usable) != 0, 0)) {
        c->overlap = conflict.requested;
        c->overlap_usable = conflict.usable;
        c->overlap_flags =
            assay_judge_describe_overlap(judge, conflict, c->event->address, c->bytes);
    }
    if (__builtin_expect(conflict.requested != 0 || object->usable_extra < 0, 0))
        c->misplaced = assay_judge_misplaced(judge, number);
    if (__builtin_expect(judge->config.profile.cheri_mantissa != 0, 0))
        c->overlap_rounded = assay_judge_find_rounded(judge, number);
}

/* A resize that came to its end. The operand's index entry goes first, so that growing in place is
 * no overlap. A resize that was refused where a trace was taken and is granted here bears no
 * number: then the operand keeps its own. */
static inline __attribute__((always_inline)) void
assay_judge_resize(struct assay_judge *judge, struct assay_case *c, uint32_t number)
{
    struct assay_model *model = &judge->model;
    if (c->operand) {
        struct assay_object *object = assay_model_get(model, number);
        bool failed = !c->succeeded && (c->bytes != 0 || c->event->error == ENOMEM);
        if (failed && object->state == ASSAY_OBJECT_LIVE) {
            object->flags |= ASSAY_OBJECT_SURVIVOR;
            return;
        }
        if (failed) {
            struct assay_index_conflict conflict;
            object->flags |= ASSAY_OBJECT_SURVIVOR;
            assay_model_revive(model, number, &conflict);
            if (conflict.requested) {
                c->overlap = conflict.requested;
                c->overlap_flags = ASSAY_OVERLAP_SURVIVOR;
            }
            return;
        }
        bool ambiguous = !c->succeeded && c->profile->realloc_zero != ASSAY_ZERO_RESIZE_FREES;
        enum assay_object_state state = ambiguous ? ASSAY_OBJECT_AMBIGUOUS : ASSAY_OBJECT_FREED;
        if (object->state == ASSAY_OBJECT_LIVE)
            assay_model_end(model, number, state);
        else
            object->state = (uint8_t)state;
    }
    if (c->succeeded)
        assay_judge_bear(judge, c, c->operand && c->event->born == 0 ? number : c->event->born);
}

#endif

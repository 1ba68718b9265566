/* One slot: its bits, its slack, its bytes, and the way from an address to it. For the
 * files that deal with slots. */
#ifndef BW_SLAB_SLOT_H
#define BW_SLAB_SLOT_H

#include "canary.h"
#include "meta.h"

static inline uint32_t slack_of(uint32_t tag)
{
    return (tag & BW_TAG_SLACK) - 1;
}

static inline uint16_t tag_of(uint32_t slack)
{
    return (uint16_t)(slack + 1);
}

static inline bool has(const uint64_t *bits, uint32_t slot)
{
    return (bits[slot / 64] >> slot % 64 & 1) != 0;
}

static inline uint8_t *slot_at(const struct bw_class *class, uint32_t slab, uint32_t slot)
{
    return class->base + (size_t)slab * class->stride + (size_t)slot * class->size;
}

static inline void set(uint64_t *bits, uint32_t slot)
{
    bits[slot / 64] |= 1ull << slot % 64;
}

static inline void clear(uint64_t *bits, uint32_t slot)
{
    bits[slot / 64] &= ~(1ull << slot % 64);
}

static inline bool is_unreadable(const struct bw_heap *heap, const struct bw_class *class)
{
    return class == &heap->classes[0];
}

/* Up to so many bytes all of a slot's slack is filled, which is a quarter of it at most where an
 * object has the class of its size, and all of a slot is looked at before it is handed out, fresh
 * or not. */
enum {
    BW_FRESH_BYTES = bw_policy_check_on_reuse ? bw_policy_fresh_unchecked_above : BW_SLOT_MAX,
    BW_FILLED_BYTES = bw_policy_canary_bytes_max < 512 ? 4 * bw_policy_canary_bytes_max : 2048,
    BW_SIMPLE_BYTES = BW_FRESH_BYTES < BW_FILLED_BYTES ? BW_FRESH_BYTES : BW_FILLED_BYTES,
};

/* The canary stands in [requested, end); what follows end in the slot stays zero. */
static inline uint32_t canary_slack(const struct bw_class *class, uint32_t slack)
{
    if (class->size <= BW_SIMPLE_BYTES)
        return slack;
    uint32_t most = (slack & 15) + bw_policy_canary_bytes_max;
    return slack < most ? slack : most;
}

static inline uint8_t *canary_end(const struct bw_class *class, uint8_t *slot, uint32_t slack)
{
    return slot + class->size - slack + canary_slack(class, slack);
}

/* ---- finding the slot of an address ---- */

struct place {
    struct bw_class *class;
    unsigned class_index;
    uint32_t slab_index, slot, offset; /* offset into the slot */
    bool in_slot;                      /* false: in no slot of a carved slab */
};

static inline __attribute__((always_inline)) struct place locate(struct bw_heap *heap,
                                                                 const void *p)
{
    struct place place = {0};
    size_t from_start = (size_t)((uintptr_t)p - (uintptr_t)heap->slab_start);
    place.class_index = (unsigned)(from_start >> heap->class_shift);
    struct bw_class *class = place.class = &heap->classes[place.class_index];
    size_t from_base = (size_t)((uintptr_t)p - (uintptr_t)(class->base));
    if (__builtin_expect(from_base >= bw_load_size(&class->extent), 0))
        return place;
    place.slab_index =
        (uint32_t)((from_base >> BW_PAGE_SHIFT_MIN) * class->stride_reciprocal >> 32);
    uint32_t rest = (uint32_t)(from_base - (size_t)place.slab_index * class->stride);
    place.slot = (uint32_t)((rest >> 4) * class->slot_reciprocal >> 32);
    place.offset = rest - place.slot * class->size;
    place.in_slot = place.slot < class->slots;
    return place;
}

static inline uint16_t *tag_at(const struct place *place)
{
    return &bw_slab_record(place->class, place->slab_index)->tags[place->slot];
}

/* Damage of a slot as words. */
struct bw_misuse bw_slab_overflow(struct bw_heap *heap, const struct bw_class *class, uint8_t *p,
                                  uint32_t slack);
struct bw_misuse bw_slab_stale_write(struct bw_heap *heap, const struct bw_class *class, uint8_t *p,
                                     size_t size, const char *state);
/* The state of a slot as a word of a message. */
const char *bw_slab_state_name(const struct bw_slab *slab, uint32_t slot);

#endif

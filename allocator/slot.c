#include "slot.h"

#include "cache.h"
#include "canary.h"
#include "memtag.h"
#include "slab.h"
#include "slab_slot.h"

/* ---- misuse ---- */

static _Noreturn __attribute__((cold, noinline)) void
report_stale_write(struct bw_heap *heap, const struct bw_class *class, uint8_t *p)
{
    struct bw_misuse misuse = bw_slab_stale_write(heap, class, p, BW_SIZE_UNKNOWN, "free");
    bw_fatal(&misuse);
}

static _Noreturn __attribute__((cold, noinline)) void
report_overflow(struct bw_heap *heap, const struct bw_class *class, uint8_t *p, uint32_t slack)
{
    struct bw_misuse misuse = bw_slab_overflow(heap, class, p, slack);
    bw_fatal(&misuse);
}

static _Noreturn __attribute__((cold, noinline)) void
report_taken_twice(const struct bw_class *class, const uint8_t *p, uint32_t tag)
{
    bw_fatal(&(struct bw_misuse){
        .rule = "slot taken twice",
        .address = p,
        .size = class->size - slack_of(tag),
        .state = "live",
        .guess = "a signal handler that allocates, which interrupted an allocation"});
}

/* p is not the address of a live object: says what it is instead. */
static _Noreturn __attribute__((cold, noinline)) void refuse(struct bw_heap *heap, const void *p,
                                                             enum bw_intent intent)
{
    struct place place = locate(heap, p);
    if (!place.in_slot)
        bw_not_an_object(intent, p, BW_SIZE_UNKNOWN, "no object", NULL, 0);
    struct bw_slab *slab = bw_slab_record(place.class, place.slab_index);
    bw_lock(&place.class->lock);
    const char *state = bw_slab_state_name(slab, place.slot);
    bw_unlock(&place.class->lock);
    uint32_t tag = bw_load_u16(&slab->tags[place.slot]);
    size_t size = BW_SIZE_UNKNOWN;
    if (tag != 0)
        size = place.class->size - slack_of(tag);
    if (place.offset != 0)
        bw_not_an_object(intent, p, size, state, "offset into the object", place.offset);
    if (tag == 0)
        bw_not_an_object(intent, p, size, state, NULL, 0);
    bw_freed_object(intent, p, size, state);
}

/* The place of the live object p. */
static inline __attribute__((always_inline)) struct place
find_live(struct bw_heap *heap, const void *p, enum bw_intent intent, uint32_t *ret_tag)
{
    struct place place = locate(heap, p);
    bool inside = place.offset != 0 && !(bw_mutant(interior_free) && intent == BW_INTENT_FREE);
    if (__builtin_expect(!place.in_slot || inside, 0))
        refuse(heap, p, intent);
    *ret_tag = bw_load_u16(tag_at(&place));
    if (__builtin_expect(!(*ret_tag & BW_TAG_LIVE) && !bw_mutant(double_free_missed) &&
                             !(bw_mutant(asked_anything) && intent == BW_INTENT_ASK),
                         0))
        refuse(heap, p, intent);
    return place;
}

static inline void check_canary(struct bw_heap *heap, const struct bw_class *class, uint8_t *p,
                                uint32_t slack)
{
    if (__builtin_expect(!bw_canary_intact(heap->secret, p, canary_end(class, p, slack),
                                           canary_slack(class, slack)) &&
                             !bw_mutant(canary_unchecked) && !bw_mutant(double_free_missed),
                         0))
        report_overflow(heap, class, p, slack);
}

/* The object is nobody's but the caller's from here on: of two threads that free it at once, one is
 * told. */
static inline void end_life(struct bw_heap *heap, const void *p, uint16_t *tag, uint32_t seen,
                            enum bw_intent intent)
{
    uint16_t was = bw_clear_u16(tag, (uint16_t)seen, BW_TAG_LIVE);
    if (__builtin_expect(!(was & BW_TAG_LIVE) && !bw_mutant(double_free_missed), 0))
        refuse(heap, p, intent);
}

/* Most of all objects have the short way. */
static inline bool is_simple(unsigned index)
{
    return __builtin_expect(index - 1 < bw_class_of(BW_SIMPLE_BYTES), 1);
}

/* ---- allocating ---- */

static inline void check_zero(struct bw_heap *heap, const struct bw_class *class, uint8_t *p,
                              size_t bytes)
{
    if (bw_policy_check_on_reuse && !bw_mutant(zero_skipped) && !bw_mutant(stale_unseen) &&
        __builtin_expect(!bw_is_zero(p, bytes), 0))
        report_stale_write(heap, class, p);
}

/* Of a slot that was never handed out only the last bytes are looked at, where a write before the
 * object behind it lands; the canary brings their page in anyway. Written to first: a page that is
 * read, then written, comes in twice. */
static void check_tail(struct bw_heap *heap, const struct bw_class *class, uint8_t *p)
{
    enum { TAIL = 64 };
    if (!bw_policy_check_on_reuse || bw_mutant(zero_skipped))
        return;
    uint64_t *last = (uint64_t *)(p + class->size) - 1;
    uint64_t seen = bw_swap_u64(last, 0);
    *last = seen;
    if (__builtin_expect(!bw_is_zero(p + class->size - TAIL, TAIL), 0))
        report_stale_write(heap, class, p);
}

static __attribute__((noinline)) void prepare(struct bw_heap *heap, unsigned index, uint8_t *p,
                                              uint32_t slack, bool fresh)
{
    const struct bw_class *class = &heap->classes[index];
    if (index == 0)
        return;
    if (!fresh || class->size <= bw_policy_fresh_unchecked_above)
        check_zero(heap, class, p, class->size);
    else if (canary_end(class, p, slack) == p + class->size)
        check_tail(heap, class, p);
    bw_canary_write(heap->secret, p, canary_end(class, p, slack), canary_slack(class, slack),
                    false);
}

void *bw_slot_alloc(struct bw_heap *heap, unsigned index, size_t requested)
{
    const struct bw_class *class = &heap->classes[index];
    uint32_t id;
    if (__builtin_expect(!bw_cache_take(heap, index, &id), 0))
        return NULL;
    uint32_t slab = id / BW_SLAB_SLOTS_MAX, slot = id % BW_SLAB_SLOTS_MAX, size = class->size;
    uint8_t *p = slot_at(class, slab, slot);
    uint16_t *tag = &bw_slab_record(class, slab)->tags[slot];
    uint32_t slack = size - (uint32_t)requested;
    uint32_t before = bw_load_u16(tag);
    if (__builtin_expect((before & BW_TAG_LIVE) != 0 && !bw_mutant(double_free_missed), 0))
        report_taken_twice(class, p, before);
    if (is_simple(index)) {
        check_zero(heap, class, p, size);
        bw_canary_write(heap->secret, p, p + size, slack, false);
    } else {
        prepare(heap, index, p, slack, before == 0);
    }
    if (!(bw_mutant(live_forgotten) && slot % 64 == 63))
        bw_store_u16(tag, BW_TAG_LIVE | tag_of(slack));
    return bw_memtag_slot(heap, class, slot, p, requested);
}

/* ---- freeing ---- */

/* The bytes [p, p + used) may hold something, the canary included. */
static inline void clear_slot(uint8_t *p, size_t used)
{
    if (bw_policy_zero_on_free && !bw_mutant(zero_skipped))
        bw_zero(p, used - (bw_mutant(zero_short) ? 16 : 0));
}

static __attribute__((noinline)) void dismantle(struct bw_heap *heap, unsigned index, uint8_t *p,
                                                uint16_t *tag, uint32_t seen)
{
    const struct bw_class *class = &heap->classes[index];
    uint32_t slack = slack_of(seen);
    if (index != 0)
        check_canary(heap, class, p, slack);
    end_life(heap, p, tag, seen, BW_INTENT_FREE);
    if (index == 0)
        return;
    clear_slot(p, (size_t)(canary_end(class, p, slack) - p));
    bw_memtag_end(heap, p, class->size);
}

void bw_slot_free(struct bw_heap *heap, void *p)
{
    uint32_t seen;
    struct place place = find_live(heap, p, BW_INTENT_FREE, &seen);
    if (bw_mutant(interior_free))
        p = (uint8_t *)p - place.offset;
    uint32_t id = place.slab_index * BW_SLAB_SLOTS_MAX + place.slot;
    uint16_t *tag = tag_at(&place);
    if (is_simple(place.class_index)) {
        uint32_t size = place.class->size, slack = slack_of(seen);
        uint8_t *bytes = p;
        if (__builtin_expect(!bw_canary_intact(heap->secret, bytes, bytes + size, slack) &&
                                 !bw_mutant(canary_unchecked) && !bw_mutant(double_free_missed),
                             0))
            report_overflow(heap, place.class, bytes, slack);
        end_life(heap, p, tag, seen, BW_INTENT_FREE);
        clear_slot(bytes, size);
        bw_memtag_end(heap, bytes, size);
    } else {
        dismantle(heap, place.class_index, p, tag, seen);
    }
    bw_cache_give(heap, place.class_index, id);
}

void bw_slot_free_claimed(struct bw_heap *heap, void *p, const struct bw_claim *claim)
{
    uint32_t seen;
    struct place place = find_live(heap, p, BW_INTENT_FREE, &seen);
    bw_check_claim(claim, p, place.class->size - slack_of(seen), place.class_index,
                   bw_load_u32(&heap->spilled) != 0);
    bw_slot_free(heap, p);
}

/* ---- asking and resizing ---- */

size_t bw_slot_size(struct bw_heap *heap, void *p, enum bw_intent intent)
{
    uint32_t seen;
    struct place place = find_live(heap, p, intent, &seen);
    return place.class->size - slack_of(seen);
}

bool bw_slot_resize(struct bw_heap *heap, void *p, size_t size, size_t *ret_old)
{
    uint32_t seen;
    struct place place = find_live(heap, p, BW_INTENT_REALLOC, &seen);
    const struct bw_class *class = place.class;
    uint32_t slack = slack_of(seen);
    uint8_t *bytes = p;
    size_t old = *ret_old = class->size - slack;
    if (place.class_index == 0)
        return size == 0;
    check_canary(heap, class, p, slack);
    if (size == 0 || size > BW_REQUEST_MAX || bw_class_for(size, 1) != place.class_index)
        return false;
    end_life(heap, p, tag_at(&place), seen, BW_INTENT_REALLOC);
    /* Whoever looks over live slots holds the class's lock: a canary that it sees, or misses, under
     * one tag is that tag's, and the tag cannot go and come back meanwhile. */
    bool shared = !BW_SINGLE_THREADED;
    if (shared)
        bw_lock(&place.class->lock);
    uint8_t *old_end = canary_end(class, bytes, slack);
    uint32_t new_slack = class->size - (uint32_t)size;
    uint8_t *new_end = canary_end(class, bytes, new_slack);
    /* No pattern byte may become the program's, and what lies behind the canary is zero. */
    size_t from = size < old ? size : old, to = (size_t)(old_end - bytes);
    if (size > old && size < to)
        to = size;
    if (!bw_mutant(canary_left) || size <= old)
        memset(bytes + from, 0, to - from);
    bw_canary_fill(heap->secret, bytes, new_end, canary_slack(class, new_slack));
    bw_store_u16(tag_at(&place), BW_TAG_LIVE | tag_of(bw_mutant(slack_stale) ? slack : new_slack));
    bw_memtag_resize(heap, p, class->size, size);
    if (shared)
        bw_unlock(&place.class->lock);
    return true;
}

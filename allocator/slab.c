#include "slab.h"

#include "canary.h"
#include "pages.h"
#include "slab_slot.h"

enum { COMMIT_MIN = 64 << 10, COMMIT_MAX = 1 << 20, SLAB_TARGET = 16 << 10 };

/* ---- geometry ---- */

static uint32_t quarantine_slots(uint32_t size)
{
    if (bw_policy_quarantine_bytes == 0)
        return 0;
    uint32_t slots = bw_policy_quarantine_bytes / size;
    if (slots > bw_policy_quarantine_slots_max)
        return bw_policy_quarantine_slots_max;
    return slots < bw_policy_quarantine_slots_min ? bw_policy_quarantine_slots_min : slots;
}

void bw_slab_geometry(struct bw_class *class, unsigned index)
{
    size_t page = bw_page_size();
    class->size = bw_class_size(index);
    uint32_t slots = SLAB_TARGET / class->size;
    if (slots > BW_SLAB_SLOTS_MAX)
        slots = BW_SLAB_SLOTS_MAX;
    if (slots == 0)
        slots = 1;
    class->slab_bytes = (uint32_t)bw_round_up((size_t)slots * class->size, page);
    slots = class->slab_bytes / class->size;
    class->slots = slots < BW_SLAB_SLOTS_MAX ? slots : BW_SLAB_SLOTS_MAX;
    class->stride = class->slab_bytes + (bw_policy_guard_slabs ? (uint32_t)page : 0);
    class->stride_reciprocal = (1ull << 32) / (class->stride >> 12) + 1;
    class->slot_reciprocal = (1ull << 32) / (class->size >> 4) + 1;
    size_t slack = (size_t)(class->slots) * (slack_is_wide(class) ? 2 : 1);
    class->meta_stride =
        (uint32_t)bw_round_up(sizeof(struct bw_slab) + slack +
                                  (BW_NOTES ? (size_t)(class->slots) * sizeof(struct bw_note) : 0),
                              8);
    class->quarantine_max = quarantine_slots(class->size);
}

void bw_slab_start(struct bw_class *class, const uint32_t *key, unsigned index)
{
    bw_lock_init(&class->lock);
    class->carved = 0;
    class->empty_count = 0;
    class->quarantine_length = 0;
    class->patrol = 0;
    for (int list = 0; list < BW_LIST_COUNT; list++)
        class->lists[list] = 0;
    bw_random_start(&class->random, key, index);
}

/* The slots of word w. */
static uint64_t word_mask(const struct bw_class *class, uint32_t w)
{
    if (class->slots <= w * 64)
        return 0;
    uint32_t rest = class->slots - w * 64;
    return rest >= 64 ? UINT64_MAX : (1ull << rest) - 1;
}

static void all_fresh(const struct bw_class *class, struct bw_slab *slab)
{
    for (uint32_t w = 0; w < BW_SLAB_WORDS; w++)
        slab->fresh[w] = word_mask(class, w);
}

/* ---- lists of slabs ---- */

static void list_add(struct bw_class *class, enum bw_list list, uint32_t index)
{
    struct bw_slab *slab = bw_slab_record(class, index);
    slab->list = (uint8_t)list;
    slab->prev = 0;
    slab->next = class->lists[list];
    if (slab->next != 0)
        bw_slab_record(class, slab->next - 1)->prev = index + 1;
    class->lists[list] = index + 1;
}

static void list_remove(struct bw_class *class, uint32_t index)
{
    struct bw_slab *slab = bw_slab_record(class, index);
    if (slab->prev != 0)
        bw_slab_record(class, slab->prev - 1)->next = slab->next;
    else
        class->lists[slab->list] = slab->next;
    if (slab->next != 0)
        bw_slab_record(class, slab->next - 1)->prev = slab->prev;
    slab->list = BW_LIST_NONE;
}

/* ---- getting a slab with a free slot ---- */

static bool commit_up_to(uint8_t *base, size_t *committed, size_t wanted, size_t limit)
{
    if (wanted <= *committed)
        return true;
    size_t step = *committed < COMMIT_MIN ? COMMIT_MIN : *committed;
    if (step > COMMIT_MAX)
        step = COMMIT_MAX;
    size_t target = *committed + step > wanted ? *committed + step : wanted;
    target = bw_round_up(target, bw_page_size());
    if (target > limit)
        target = limit;
    if (target < wanted || !bw_pages_commit(base + *committed, target - *committed))
        return false;
    *committed = target;
    return true;
}

static bool wants_guard(struct bw_class *class, uint32_t index)
{
    if (!bw_policy_guard_slabs || bw_mutant_guard_missing)
        return false;
    if (bw_policy_guard_random)
        return bw_random_below(&class->random, bw_policy_guard_interval) == 0;
    return index % bw_policy_guard_interval == 0;
}

static bool carve(struct bw_heap *heap, struct bw_class *class)
{
    uint32_t index = class->carved;
    if (index >= class->slab_max)
        return false;
    size_t page = bw_page_size();
    size_t meta_limit = bw_round_up((size_t)(class->slab_max) * class->meta_stride, page);
    if (!commit_up_to(class->meta, &class->meta_committed, (size_t)(index + 1) * class->meta_stride,
                      meta_limit))
        return false;
    if (!is_unreadable(heap, class)) {
        if (!commit_up_to(class->base, &class->committed, (size_t)(index + 1) * class->stride,
                          (size_t)(class->slab_max) * class->stride))
            return false;
        if (index >= class->guarded) {
            if (wants_guard(class, index))
                (void)bw_pages_guard(class->base + (size_t)index * class->stride +
                                         class->slab_bytes,
                                     class->stride - class->slab_bytes);
            class->guarded = index + 1;
        }
    }
    struct bw_slab *slab = bw_slab_record(class, index);
    slab->free_count = (uint16_t)(class->slots);
    for (uint32_t w = 0; w < BW_SLAB_WORDS; w++) {
        slab->live[w] = 0;
        slab->free[w] = word_mask(class, w);
    }
    all_fresh(class, slab);
    class->carved = index + 1;
    list_add(class, BW_LIST_PARTIAL, index);
    return true;
}

static __attribute__((noinline)) bool refill(struct bw_heap *heap, struct bw_class *class)
{
    for (int list = BW_LIST_EMPTY; list <= BW_LIST_PURGED; list++) {
        uint32_t first = class->lists[list];
        if (first != 0) {
            class->empty_count -= list == BW_LIST_EMPTY;
            list_remove(class, first - 1);
            list_add(class, BW_LIST_PARTIAL, first - 1);
            return true;
        }
    }
    return carve(heap, class);
}

/* ---- choosing a slot ---- */

static inline uint32_t count_bits(const struct bw_heap *heap, uint64_t word)
{
#ifdef __x86_64__
    if (__builtin_expect(heap->bit_instructions, 1)) {
        uint64_t count;
        __asm__("popcntq %1, %0" : "=r"(count) : "r"(word) : "cc");
        return (uint32_t)count;
    }
#endif
    return (uint32_t)__builtin_popcountll(word);
}

/* Position of the bit of rank `rank` (from 0) in word. */
static inline uint32_t select_bit(const struct bw_heap *heap, uint64_t word, uint32_t rank)
{
#ifdef __x86_64__
    if (__builtin_expect(heap->bit_instructions, 1)) {
        uint64_t bit;
        __asm__("pdepq %2, %1, %0" : "=r"(bit) : "r"(1ull << rank), "r"(word));
        return (uint32_t)__builtin_ctzll(bit);
    }
#endif
    while (rank-- > 0)
        word &= word - 1;
    return (uint32_t)__builtin_ctzll(word);
}

/* Any free slot, each as likely as the others. The word is found without a branch on the random
 * rank, which no predictor would guess. */
static inline uint32_t choose_free_slot(struct bw_heap *heap, struct bw_class *class,
                                        const struct bw_slab *slab)
{
    bool random = bw_policy_random_slot && !bw_mutant_slot_predictable;
    uint32_t rank = random ? bw_random_below(&class->random, slab->free_count) : 0;
    uint32_t up_to_1 = count_bits(heap, slab->free[0]);
    uint32_t up_to_2 = up_to_1 + count_bits(heap, slab->free[1]);
    uint32_t up_to_3 = up_to_2 + count_bits(heap, slab->free[2]);
    uint32_t w =
        (uint32_t)(rank >= up_to_1) + (uint32_t)(rank >= up_to_2) + (uint32_t)(rank >= up_to_3);
    uint32_t before[BW_SLAB_WORDS] = {0, up_to_1, up_to_2, up_to_3};
    return w * 64 + select_bit(heap, slab->free[w], rank - before[w]);
}

/* ---- damage ---- */

static _Noreturn __attribute__((cold, noinline)) void
report_stale_write(struct bw_heap *heap, const struct bw_class *class, uint8_t *p)
{
    struct bw_misuse misuse = bw_slab_stale_write(heap, class, p, BW_SIZE_UNKNOWN, "free");
    bw_fatal(&misuse);
}

void *bw_slab_alloc(struct bw_heap *heap, unsigned index, size_t size)
{
    struct bw_class *class = &heap->classes[index];
    bw_lock(&class->lock);
    if (__builtin_expect(class->lists[BW_LIST_PARTIAL] == 0, 0) && !refill(heap, class)) {
        bw_unlock(&class->lock);
        return NULL;
    }
    uint32_t slab_index = class->lists[BW_LIST_PARTIAL] - 1;
    struct bw_slab *slab = bw_slab_record(class, slab_index);
    uint32_t slot = choose_free_slot(heap, class, slab);
    uint8_t *p = class->base + (size_t)slab_index * class->stride + (size_t)slot * class->size;
    if (!(bw_mutant_live_forgotten && slot % 64 == 63))
        set(slab->live, slot);
    clear(slab->free, slot);
    if (--slab->free_count == 0)
        list_remove(class, slab_index);
    uint32_t slack = class->size - (uint32_t)size;
    bool fresh = has(slab->fresh, slot);
    clear(slab->fresh, slot);
    if (is_unreadable(heap, class)) {
        bw_unlock(&class->lock);
        return p;
    }
    set_slack(class, slab, slot, slack);
    bw_unlock(&class->lock);

    bool unchecked =
        (fresh && class->size > bw_policy_fresh_unchecked_above) || bw_mutant_zero_skipped;
    if (bw_policy_check_on_reuse && !unchecked && __builtin_expect(!bw_is_zero(p, class->size), 0))
        report_stale_write(heap, class, p);
    bw_canary_fill(heap->secret, p, canary_end(class, p, slack), canary_slack(class, slack));
    return p;
}

/* p is not the address of a live object: says what it is instead. Takes the lock held, lets go. */
static _Noreturn __attribute__((cold, noinline)) void refuse(struct bw_heap *heap, const void *p,
                                                             enum bw_intent intent)
{
    struct place place = locate(heap, p);
    struct bw_class *class = place.class;
    if (!place.in_slot || place.slab_index >= class->carved) {
        bw_unlock(&class->lock);
        bw_not_an_object(intent, p, BW_SIZE_UNKNOWN, "no object", NULL, 0);
    }
    struct bw_slab *slab = bw_slab_record(class, place.slab_index);
    const char *state = bw_slab_state_name(class, slab, place.slot);
    bool fresh = has(slab->fresh, place.slot);
    size_t size = BW_SIZE_UNKNOWN;
    if (!fresh)
        size = is_unreadable(heap, class) ? 0 : class->size - get_slack(class, slab, place.slot);
    bw_unlock(&class->lock);
    if (place.offset != 0)
        bw_not_an_object(intent, p, size, state, "offset into the object", place.offset);
    if (fresh)
        bw_not_an_object(intent, p, size, state, NULL, 0);
    bw_freed_object(intent, p, size, state);
}

/* Locks the class of the live object p and returns its place. */
static inline __attribute__((always_inline)) struct place
lock_live(struct bw_heap *heap, const void *p, enum bw_intent intent)
{
    struct place place = locate(heap, p);
    bw_lock(&place.class->lock);
    if (__builtin_expect(
            !place.in_slot || place.offset != 0 || place.slab_index >= place.class->carved ||
                (!has(bw_slab_record(place.class, place.slab_index)->live, place.slot) &&
                 !bw_mutant_double_free_missed),
            0))
        refuse(heap, p, intent);
    return place;
}

static _Noreturn __attribute__((cold, noinline)) void
report_overflow(struct bw_heap *heap, struct bw_class *class, uint8_t *p, uint32_t slack)
{
    struct bw_misuse misuse = bw_slab_overflow(heap, class, p, slack);
    bw_fatal(&misuse);
}

static inline void check_canary(struct bw_heap *heap, struct bw_class *class, uint8_t *p,
                                uint32_t slack)
{
    if (__builtin_expect(!bw_canary_intact(heap->secret, p, canary_end(class, p, slack),
                                           canary_slack(class, slack)) &&
                             !bw_mutant_canary_unchecked && !bw_mutant_double_free_missed,
                         0)) {
        bw_unlock(&class->lock);
        report_overflow(heap, class, p, slack);
    }
}

/* ---- giving back ---- */

static __attribute__((noinline)) void became_empty(struct bw_heap *heap, struct bw_class *class,
                                                   uint32_t index)
{
    list_remove(class, index);
    size_t kept = (size_t)(class->empty_count) * class->slab_bytes;
    struct bw_slab *slab = bw_slab_record(class, index);
    if (kept < bw_policy_purge_bytes || is_unreadable(heap, class) ||
        !bw_pages_purge(class->base +
                            (size_t)(bw_mutant_purge_beside ? index ^ 1 : index) * class->stride,
                        class->slab_bytes)) {
        class->empty_count++;
        list_add(class, BW_LIST_EMPTY, index);
        return;
    }
    all_fresh(class, slab);
    list_add(class, BW_LIST_PURGED, index);
}

static inline void release(struct bw_heap *heap, struct bw_class *class, uint32_t slab_index,
                           uint32_t slot)
{
    struct bw_slab *slab = bw_slab_record(class, slab_index);
    set(slab->free, slot);
    if (__builtin_expect(slab->free_count++ == 0, 0))
        list_add(class, BW_LIST_PARTIAL, slab_index);
    if (__builtin_expect(slab->free_count == class->slots, 0))
        became_empty(heap, class, slab_index);
}

/* A long quarantine would notice a write late: so one entry is read per free, in turn. */
static void patrol(struct bw_heap *heap, struct bw_class *class)
{
    if (++class->patrol >= class->quarantine_length)
        class->patrol = 0;
    uint32_t id = class->quarantine[class->patrol];
    uint32_t slab_index = id / BW_SLAB_SLOTS_MAX, slot = id % BW_SLAB_SLOTS_MAX;
    uint8_t *p = class->base + (size_t)slab_index * class->stride + (size_t)slot * class->size;
    if (is_unreadable(heap, class) || bw_is_zero(p, class->size))
        return;
    struct bw_slab *slab = bw_slab_record(class, slab_index);
    struct bw_misuse misuse = bw_slab_stale_write(
        heap, class, p, class->size - get_slack(class, slab, slot), "quarantined");
    bw_unlock(&class->lock);
    bw_fatal(&misuse);
}

/* The freed slot enters the quarantine at a random place; what stood there is free again. */
static inline void quarantine(struct bw_heap *heap, struct bw_class *class, uint32_t slab_index,
                              uint32_t slot)
{
    if (class->quarantine_max == 0 || bw_mutant_quarantine_skipped) {
        release(heap, class, slab_index, slot);
        return;
    }
    uint32_t id = slab_index * BW_SLAB_SLOTS_MAX + slot;
    if (__builtin_expect(class->quarantine_length < class->quarantine_max, 0)) {
        class->quarantine[class->quarantine_length++] = id;
        return;
    }
    if (bw_policy_quarantine_patrol)
        patrol(heap, class);
    uint32_t at = bw_random_below(&class->random, class->quarantine_max);
    uint32_t out = class->quarantine[at];
    class->quarantine[at] = id;
    release(heap, class, out / BW_SLAB_SLOTS_MAX, out % BW_SLAB_SLOTS_MAX);
}

enum { ZERO_UNDER_LOCK = 1024 };

void bw_slab_free(struct bw_heap *heap, void *p, const struct bw_claim *claim)
{
    struct place place = lock_live(heap, p, BW_INTENT_FREE);
    struct bw_class *class = place.class;
    struct bw_slab *slab = bw_slab_record(class, place.slab_index);
    bool readable = !is_unreadable(heap, class);
    uint32_t slack = readable ? get_slack(class, slab, place.slot) : class->size;
    if (claim != NULL) {
        bw_unlock(&class->lock);
        bw_check_claim(claim, p, class->size - slack, place.class_index,
                       bw_load_u32(&heap->spilled) != 0);
        place = lock_live(heap, p, BW_INTENT_FREE);
    }
    if (readable)
        check_canary(heap, class, p, slack);
    clear(slab->live, place.slot);
    if (bw_policy_zero_on_free && readable && !bw_mutant_zero_skipped) {
        size_t used = (size_t)(canary_end(class, p, slack) - (uint8_t *)p);
        used -= bw_mutant_zero_short ? 16 : 0;
        if (class->size <= ZERO_UNDER_LOCK) {
            bw_zero(p, used);
        } else {
            /* The slot is held and in no list: it is this thread's alone. */
            bw_unlock(&class->lock);
            bw_zero(p, used);
            bw_lock(&class->lock);
        }
    }
    quarantine(heap, class, place.slab_index, place.slot);
    bw_unlock(&class->lock);
}

size_t bw_slab_size(struct bw_heap *heap, void *p, enum bw_intent intent)
{
    struct place place = lock_live(heap, p, intent);
    struct bw_class *class = place.class;
    size_t size = 0;
    if (!is_unreadable(heap, class))
        size = class->size - get_slack(class, bw_slab_record(class, place.slab_index), place.slot);
    bw_unlock(&class->lock);
    return size;
}

bool bw_slab_resize(struct bw_heap *heap, void *p, size_t size, size_t *ret_old)
{
    struct place place = lock_live(heap, p, BW_INTENT_REALLOC);
    struct bw_class *class = place.class;
    if (is_unreadable(heap, class)) {
        bw_unlock(&class->lock);
        *ret_old = 0;
        return size == 0;
    }
    struct bw_slab *slab = bw_slab_record(class, place.slab_index);
    uint32_t slack = get_slack(class, slab, place.slot);
    uint8_t *bytes = p;
    size_t old = *ret_old = class->size - slack;
    check_canary(heap, class, p, slack);
    if (size == 0 || size > BW_REQUEST_MAX || bw_class_for(size, 1) != place.class_index) {
        bw_unlock(&class->lock);
        return false;
    }
    uint8_t *old_end = canary_end(class, bytes, slack);
    uint32_t new_slack = class->size - (uint32_t)size;
    uint8_t *new_end = canary_end(class, bytes, new_slack);
    /* No pattern byte may become the program's, and what lies behind the canary is zero. */
    size_t from = size < old ? size : old, to = (size_t)(old_end - bytes);
    if (size > old && size < to)
        to = size;
    if (!bw_mutant_canary_left || size <= old)
        memset(bytes + from, 0, to - from);
    if (!bw_mutant_slack_stale)
        set_slack(class, slab, place.slot, new_slack);
    bw_canary_fill(heap->secret, bytes, new_end, canary_slack(class, new_slack));
    bw_unlock(&class->lock);
    return true;
}

bool bw_slab_trim(struct bw_heap *heap)
{
    bool any = false;
    for (unsigned i = 1; i < BW_CLASS_COUNT; i++) {
        struct bw_class *class = &heap->classes[i];
        bw_lock(&class->lock);
        for (uint32_t first; (first = class->lists[BW_LIST_EMPTY]) != 0;) {
            if (!bw_pages_purge(class->base + (size_t)(first - 1) * class->stride,
                                class->slab_bytes))
                break;
            all_fresh(class, bw_slab_record(class, first - 1));
            list_remove(class, first - 1);
            list_add(class, BW_LIST_PURGED, first - 1);
            class->empty_count--;
            any = true;
        }
        bw_unlock(&class->lock);
    }
    return any;
}

enum { RESET_BY_PURGE = 4 << 20 };

static bool any_live(const struct bw_slab *slab)
{
    for (uint32_t w = 0; w < BW_SLAB_WORDS; w++)
        if (slab->live[w])
            return true;
    return false;
}

/* What was freed is zero already: only slabs with live objects are cleared, and their pages stay,
 * because a page fault costs more than clearing a page. */
void bw_slab_reset(struct bw_class *class)
{
    size_t used = (size_t)(class->carved) * class->stride;
    if (used == 0 || class->committed == 0)
        return;
    if (used > RESET_BY_PURGE && bw_pages_purge(class->base, used))
        return;
    for (uint32_t i = 0; i < class->carved; i++)
        if (!bw_policy_zero_on_free || any_live(bw_slab_record(class, i)))
            memset(class->base + (size_t)i * class->stride, 0, class->slab_bytes);
}

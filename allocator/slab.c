#include "slab.h"

#include "canary.h"
#include "memtag.h"
#include "pages.h"
#include "slab_slot.h"

enum { COMMIT_MIN = 64 << 10, COMMIT_MAX = 1 << 20 };

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

void bw_slab_geometry(struct bw_class *class, unsigned index, const struct bw_pages *pages)
{
    size_t page = bw_page_size(pages);
    bool guarded = bw_policy_guard_slabs && bw_pages_have_guards(pages);
    class->size = bw_class_size(index);
    uint32_t slots = BW_SLAB_TARGET / class->size;
    if (slots > BW_SLAB_SLOTS_MAX)
        slots = BW_SLAB_SLOTS_MAX;
    if (slots == 0)
        slots = 1;
    class->slab_bytes = (uint32_t)bw_round_up((size_t)slots * class->size, page);
    slots = class->slab_bytes / class->size;
    class->slots = slots < BW_SLAB_SLOTS_MAX ? slots : BW_SLAB_SLOTS_MAX;
    class->stride = class->slab_bytes + (guarded ? (uint32_t)page : 0);
    class->stride_reciprocal = (1ull << 32) / (class->stride >> BW_PAGE_SHIFT_MIN) + 1;
    class->slot_reciprocal = (1ull << 32) / (class->size >> 4) + 1;
    size_t tags = (size_t)(class->slots) * sizeof(uint16_t);
    class->meta_stride =
        (uint32_t)bw_round_up(sizeof(struct bw_slab) + tags +
                                  (BW_NOTES ? (size_t)(class->slots) * sizeof(struct bw_note) : 0),
                              8);
    class->quarantine_max = quarantine_slots(class->size);
    class->batch = BW_BATCH_BYTES / class->size;
    if (class->batch > BW_BATCH_MAX)
        class->batch = BW_BATCH_MAX;
    if (class->batch == 0)
        class->batch = 1;
}

void bw_slab_start(struct bw_class *class, const struct bw_key *key, unsigned index)
{
    bw_lock_init(&class->lock);
    class->carved = 0;
    class->extent = 0;
    class->empty_count = 0;
    class->kept_max = bw_policy_purge_bytes;
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

static void forget_slots(const struct bw_class *class, struct bw_slab *slab)
{
    memset(slab->tags, 0, class->slots * sizeof slab->tags[0]);
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

static bool extend(const struct bw_heap *heap, uint8_t *base, size_t *committed, size_t target,
                   const char *name)
{
    if (!bw_pages_extend(heap->pages, base + *committed, target - *committed, heap->sparse))
        return false;
    if (heap->sparse) /* else all of the reservation has its name */
        bw_pages_label(heap->pages, base + *committed, target - *committed, name);
    *committed = target;
    return true;
}

/* More than is wanted, so that not every slab needs a system call; where memory ends no more. */
static bool commit_up_to(const struct bw_heap *heap, uint8_t *base, size_t *committed,
                         size_t wanted, size_t limit, const char *name)
{
    if (wanted <= *committed)
        return true;
    size_t page = bw_page_size(heap->pages);
    size_t step = *committed < COMMIT_MIN ? COMMIT_MIN : *committed;
    if (step > COMMIT_MAX)
        step = COMMIT_MAX;
    size_t target = *committed + step > wanted ? *committed + step : wanted;
    target = bw_round_up(target, page);
    if (target > limit)
        target = limit;
    wanted = bw_round_up(wanted, page);
    return wanted <= limit && (extend(heap, base, committed, target, name) ||
                               (target > wanted && extend(heap, base, committed, wanted, name)));
}

static bool wants_guard(struct bw_class *class, uint32_t index)
{
    if (class->stride == class->slab_bytes || bw_mutant(guard_missing))
        return false;
    if (bw_policy_guard_random)
        return bw_random_below(&class->random, bw_policy_guard_interval, BW_CHOICE_GUARD) == 0;
    return index % bw_policy_guard_interval == 0;
}

static bool carve(struct bw_heap *heap, struct bw_class *class)
{
    uint32_t index = class->carved;
    if (index >= class->slab_max)
        return false;
    const struct bw_pages *pages = heap->pages;
    size_t page = bw_page_size(pages);
    size_t meta_limit = bw_round_up((size_t)(class->slab_max) * class->meta_stride, page);
    if (!commit_up_to(heap, class->meta, &class->meta_committed,
                      (size_t)(index + 1) * class->meta_stride, meta_limit, "bulwark metadata"))
        return false;
    if (!is_unreadable(heap, class) || bw_mutant(zero_readable)) {
        if (!commit_up_to(heap, class->base, &class->committed, (size_t)(index + 1) * class->stride,
                          (size_t)(class->slab_max) * class->stride, "bulwark slabs"))
            return false;
        if (index >= class->guarded) {
            if (wants_guard(class, index))
                (void)bw_pages_guard(
                    pages, class->base + (size_t)index * class->stride + class->slab_bytes,
                    class->stride - class->slab_bytes);
            class->guarded = index + 1;
        }
    }
    struct bw_slab *slab = bw_slab_record(class, index);
    slab->free_count = (uint16_t)(class->slots);
    for (uint32_t w = 0; w < BW_SLAB_WORDS; w++)
        slab->free[w] = word_mask(class, w);
    forget_slots(class, slab);
    class->carved = index + 1;
    bw_store_size(&class->extent, (size_t)(index + 1) * class->stride);
    list_add(class, BW_LIST_PARTIAL, index);
    return true;
}

/* A slab whose memory was given back is wanted again: the class may keep more. What all classes may
 * keep so is limited; threads that regret at once may miscount it a little. */
static void regret(struct bw_heap *heap, struct bw_class *class)
{
    size_t more = bw_load_size(&heap->kept_more) + class->slab_bytes;
    if (more > bw_policy_purge_regret_bytes)
        return;
    bw_store_size(&heap->kept_more, more);
    class->kept_max += class->slab_bytes;
}

/* A slab with free slots, off its list: index + 1, or 0 where there is no room for more. */
static uint32_t own(struct bw_heap *heap, struct bw_class *class)
{
    for (int list = BW_LIST_PARTIAL; list <= BW_LIST_COUNT; list++) {
        if (list == BW_LIST_COUNT) {
            if (!carve(heap, class))
                return 0;
            list = BW_LIST_PARTIAL;
        }
        uint32_t first = class->lists[list];
        if (first == 0)
            continue;
        class->empty_count -= list == BW_LIST_EMPTY;
        if (list == BW_LIST_PURGED)
            regret(heap, class);
        list_remove(class, first - 1);
        bw_slab_record(class, first - 1)->list = BW_LIST_OWNED;
        return first;
    }
    return 0;
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

/* Takes `count` free slots out of the slab, each choice as likely as the others. The word is found
 * without a branch on the random rank, which no predictor would guess. */
static void choose(const struct bw_heap *heap, struct bw_random *random, struct bw_slab *slab,
                   uint32_t index, uint32_t *ret_ids, uint32_t count)
{
    uint32_t up_to_1 = count_bits(heap, slab->free[0]);
    uint32_t up_to_2 = up_to_1 + count_bits(heap, slab->free[1]);
    uint32_t up_to_3 = up_to_2 + count_bits(heap, slab->free[2]);
    uint32_t left = slab->free_count;
    for (uint32_t i = 0; i < count; i++, left--) {
        uint32_t rank = 0;
        if (bw_policy_random_slot && !bw_mutant(slot_predictable))
            rank = bw_random_below(random, left, BW_CHOICE_SLOT);
        uint32_t over_1 = rank >= up_to_1, over_2 = rank >= up_to_2, over_3 = rank >= up_to_3;
        uint32_t w = over_1 + over_2 + over_3;
        uint32_t before[BW_SLAB_WORDS] = {0, up_to_1, up_to_2, up_to_3};
        uint64_t bit = select_bit(heap, slab->free[w], rank - before[w]);
        slab->free[w] ^= 1ull << bit;
        ret_ids[i] = index * BW_SLAB_SLOTS_MAX + w * 64 + (uint32_t)bit;
        up_to_1 -= 1 - over_1;
        up_to_2 -= 1 - over_2;
        up_to_3 -= 1 - over_3;
    }
    slab->free_count = (uint16_t)left;
}

uint32_t bw_slab_take(struct bw_heap *heap, struct bw_class *class, struct bw_random *random,
                      uint32_t *owned, uint32_t *ret_ids, uint32_t wanted)
{
    bw_lock(&class->lock);
    if (*owned == 0 || bw_slab_record(class, *owned - 1)->free_count == 0) {
        if (*owned != 0)
            bw_slab_record(class, *owned - 1)->list = BW_LIST_NONE;
        *owned = own(heap, class);
        if (*owned == 0) {
            bw_unlock(&class->lock);
            return 0;
        }
    }
    uint32_t index = *owned - 1;
    struct bw_slab *slab = bw_slab_record(class, index);
    uint32_t count = slab->free_count < wanted ? slab->free_count : wanted;
    choose(heap, random, slab, index, ret_ids, count);
    bw_unlock(&class->lock);
    return count;
}

/* ---- giving back ---- */

/* A slab off every list whose slots are all free. */
static __attribute__((noinline)) void became_empty(struct bw_heap *heap, struct bw_class *class,
                                                   uint32_t index)
{
    size_t kept = (size_t)(class->empty_count) * class->slab_bytes;
    uint32_t purged = bw_mutant(purge_beside) ? index ^ 1 : index;
    if (kept < class->kept_max || is_unreadable(heap, class) ||
        !bw_pages_purge(heap->pages, slot_at(class, purged, 0), class->slab_bytes)) {
        class->empty_count++;
        list_add(class, BW_LIST_EMPTY, index);
        return;
    }
    forget_slots(class, bw_slab_record(class, index));
    list_add(class, BW_LIST_PURGED, index);
}

/* A slab off every list. */
static void list_by_count(struct bw_heap *heap, struct bw_class *class, uint32_t index)
{
    struct bw_slab *slab = bw_slab_record(class, index);
    slab->list = BW_LIST_NONE;
    if (slab->free_count == class->slots)
        became_empty(heap, class, index);
    else if (slab->free_count != 0)
        list_add(class, BW_LIST_PARTIAL, index);
}

void bw_slab_put(struct bw_heap *heap, struct bw_class *class, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(bw_slab_record(class, ids[i] / BW_SLAB_SLOTS_MAX), 1);
    bw_lock(&class->lock);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = ids[i] / BW_SLAB_SLOTS_MAX;
        struct bw_slab *slab = bw_slab_record(class, index);
        set(slab->free, ids[i] % BW_SLAB_SLOTS_MAX);
        uint32_t free_count = ++slab->free_count;
        if (__builtin_expect(slab->list == BW_LIST_OWNED, 0))
            continue;
        if (__builtin_expect(free_count == 1 || free_count == class->slots, 0)) {
            if (slab->list != BW_LIST_NONE)
                list_remove(class, index);
            list_by_count(heap, class, index);
        }
    }
    bw_unlock(&class->lock);
}

void bw_slab_disown(struct bw_heap *heap, struct bw_class *class, uint32_t *owned)
{
    if (*owned == 0)
        return;
    bw_lock(&class->lock);
    list_by_count(heap, class, *owned - 1);
    *owned = 0; /* under the lock: the child of a fork disowns what is still owned */
    bw_unlock(&class->lock);
}

bool bw_slab_trim(struct bw_heap *heap)
{
    bool any = false;
    for (unsigned i = 1; i < BW_CLASS_COUNT; i++) {
        struct bw_class *class = &heap->classes[i];
        bw_lock(&class->lock);
        for (uint32_t first; (first = class->lists[BW_LIST_EMPTY]) != 0;) {
            if (!bw_pages_purge(heap->pages, class->base + (size_t)(first - 1) * class->stride,
                                class->slab_bytes))
                break;
            forget_slots(class, bw_slab_record(class, first - 1));
            list_remove(class, first - 1);
            list_add(class, BW_LIST_PURGED, first - 1);
            class->empty_count--;
            any = true;
        }
        class->kept_max = bw_policy_purge_bytes;
        bw_unlock(&class->lock);
    }
    bw_store_size(&heap->kept_more, 0);
    return any;
}

enum { RESET_BY_PURGE = 4 << 20 };

static bool any_live(const struct bw_class *class, const struct bw_slab *slab)
{
    for (uint32_t slot = 0; slot < class->slots; slot++)
        if (slab->tags[slot] & BW_TAG_LIVE)
            return true;
    return false;
}

void bw_slab_untag(const struct bw_heap *heap, const struct bw_class *class)
{
    if (bw_memtags(heap) == NULL || is_unreadable(heap, class))
        return;
    for (uint32_t i = 0; i < class->carved; i++)
        bw_memtag_end(heap, class->base + (size_t)i * class->stride, class->slab_bytes);
}

/* What was freed is zero already: only slabs with live objects are cleared, and their pages stay,
 * because a page fault costs more than clearing a page. */
void bw_slab_reset(const struct bw_pages *pages, struct bw_class *class)
{
    size_t used = (size_t)(class->carved) * class->stride;
    if (used == 0 || class->committed == 0)
        return;
    if (used > RESET_BY_PURGE && bw_pages_purge(pages, class->base, used))
        return;
    for (uint32_t i = 0; i < class->carved; i++)
        if (!bw_policy_zero_on_free || any_live(class, bw_slab_record(class, i)))
            memset(class->base + (size_t)i * class->stride, 0, class->slab_bytes);
}

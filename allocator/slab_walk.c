/* Looking at slots without taking or giving any: what is wrong with one, in words; the walk over a
 * class. */
#include "slab.h"

#include "pages.h"
#include "slab_slot.h"

const char *bw_slab_state_name(const struct bw_slab *slab, uint32_t slot)
{
    uint32_t tag = bw_load_u16(&slab->tags[slot]);
    if (tag & BW_TAG_LIVE)
        return "live";
    if (tag == 0)
        return "never handed out";
    return has(slab->free, slot) ? "free" : "quarantined";
}

/* ---- damage as words ---- */

struct bw_misuse bw_slab_overflow(struct bw_heap *heap, const struct bw_class *class, uint8_t *p,
                                  uint32_t slack)
{
    struct place place = locate(heap, p);
    return bw_overflow_of(heap->secret, p, class->size - slack, canary_end(class, p, slack),
                          canary_slack(class, slack),
                          place.slot + 1 < class->slots ? p + class->size : NULL);
}

static bool canary_intact(const struct bw_heap *heap, const struct bw_class *class, uint8_t *p,
                          uint32_t slack)
{
    return bw_canary_intact(heap->secret, p, canary_end(class, p, slack),
                            canary_slack(class, slack));
}

struct bw_misuse bw_slab_stale_write(struct bw_heap *heap, const struct bw_class *class, uint8_t *p,
                                     size_t size, const char *state)
{
    struct place place = locate(heap, p);
    struct bw_slab *slab = bw_slab_record(class, place.slab_index);
    uint8_t *before = NULL;
    uint32_t tag = place.slot > 0 ? bw_load_u16(&slab->tags[place.slot - 1]) : 0;
    if (tag & BW_TAG_LIVE && !canary_intact(heap, class, p - class->size, slack_of(tag)))
        before = p - class->size;
    return bw_stale_write_of(p, size, class->size, state, before);
}

/* ---- the walk ---- */

/* What a walk is about: which slots, and what was found. */
struct walk {
    struct bw_heap *heap;
    struct bw_class *class;
    struct bw_sweep *sweep;
    bool freed_alone;     /* live slots are passed over */
    const uint8_t *asked; /* the slab that was asked about last, */
    bool readable;        /* and whether all of it can be read */
};

/* A wary walk asks, for a slab once where it may. Pages of freed objects were taken from children
 * alone: who closes an object's may not free it. */
static bool can_be_read(struct walk *walk, const uint8_t *p, bool live)
{
    const struct bw_class *class = walk->class;
    const struct bw_pages *pages = walk->heap->pages;
    if (!(live ? walk->sweep->wary : walk->heap->forked))
        return true;
    const uint8_t *slab = p - (size_t)(p - class->base) % class->stride;
    if (slab != walk->asked)
        walk->readable = bw_pages_are_readable(pages, slab, class->slab_bytes);
    walk->asked = slab;
    return walk->readable || bw_pages_are_readable(pages, p, class->size);
}

static bool take(struct bw_sweep *sweep, size_t bytes)
{
    if (sweep->budget < bytes) {
        sweep->budget = 0;
        return false;
    }
    sweep->budget -= bytes;
    return true;
}

/* `seen` is what the tag was when it was found live: read anew it may be that of a freed one. */
static const char *look_at_live(struct walk *walk, const uint16_t *tag, uint32_t seen, uint8_t *p)
{
    struct bw_class *class = walk->class;
    uint32_t slack = slack_of(seen);
    if (!take(walk->sweep, walk->sweep->settled ? canary_slack(class, slack) : class->size) ||
        walk->freed_alone || !can_be_read(walk, p, true))
        return NULL;
    if (!canary_intact(walk->heap, class, p, slack)) {
        /* A thread may have begun to free or resize it since: then it is not live. Under the lock
         * it does not become live again: that takes the lock (bw_slab_take, bw_slot_resize). */
        bw_after_reading();
        if (walk->sweep->settled &&
            (bw_load_u16(tag) != seen || canary_intact(walk->heap, class, p, slack)))
            return NULL;
        walk->sweep->misuse = bw_slab_overflow(walk->heap, class, p, slack);
        return "overflow: the canary of a live object is damaged";
    }
    if (!walk->sweep->settled && bw_policy_zero_on_free && !bw_mutant(zero_skipped)) {
        const uint8_t *end = canary_end(class, p, slack);
        if (!bw_is_zero(end, (size_t)(p + class->size - end)))
            return "overflow: bytes behind the canary of a live object are not zero";
    }
    return NULL;
}

enum { EDGE = 64 };

/* Of what was never handed out only the ends, as the rest may have no page yet. */
static bool ends_are_zero(const uint8_t *p, size_t size)
{
    size_t edge = size < EDGE ? size : EDGE;
    return bw_is_zero(p, edge) && bw_is_zero(p + size - edge, edge);
}

/* A slot that is not live: zero, but for one that a thread is just freeing, which is held. */
static const char *look_at_freed(struct walk *walk, const struct bw_slab *slab, uint32_t slot,
                                 uint8_t *p)
{
    struct bw_class *class = walk->class;
    size_t size = class->size;
    uint32_t tag = bw_load_u16(&slab->tags[slot]);
    bool ends = tag == 0 && walk->sweep->settled, partly = walk->sweep->partly;
    size_t bytes = size;
    if (ends && size > 2 * EDGE)
        bytes = 2 * EDGE;
    else if (partly && size > bw_policy_hand_bytes)
        bytes = bw_policy_hand_bytes;
    if (!bw_policy_zero_on_free || !take(walk->sweep, bytes) || !can_be_read(walk, p, false))
        return NULL;
    if (bw_mutant(zero_skipped) || bw_mutant(stale_unseen) ||
        (ends ? ends_are_zero(p, size) : bw_is_zero(p, bytes)))
        return NULL;
    size = tag != 0 ? size - slack_of(tag) : BW_SIZE_UNKNOWN;
    walk->sweep->misuse =
        bw_slab_stale_write(walk->heap, class, p, size, bw_slab_state_name(slab, slot));
    return "write after free: a slot that is not live is not zero";
}

static const char *look_at_slot(struct walk *walk, struct bw_slab *slab, uint32_t slot, uint8_t *p)
{
    uint32_t tag = bw_load_u16(&slab->tags[slot]);
    bool live = (tag & BW_TAG_LIVE) != 0, free = has(slab->free, slot);
    if (live && free)
        return "metadata: a slot is live and free";
    if (is_unreadable(walk->heap, walk->class))
        return NULL;
    if (live)
        return look_at_live(walk, &slab->tags[slot], tag, p);
    /* what was never handed out may have no page yet */
    if (tag == 0 && (walk->sweep->settled ? slab->free_count == walk->class->slots
                                          : walk->class->size > bw_policy_fresh_unchecked_above))
        return NULL;
    return !free && walk->sweep->settled ? NULL : look_at_freed(walk, slab, slot, p);
}

static const char *look_at_slab(struct walk *walk, uint32_t index)
{
    struct bw_class *class = walk->class;
    struct bw_slab *slab = bw_slab_record(class, index);
    const char *reason = NULL;
    uint32_t free = 0;
    for (uint32_t slot = 0; slot < class->slots && reason == NULL && walk->sweep->budget != 0;
         slot++) {
        uint8_t *p = slot_at(class, index, slot);
        free += has(slab->free, slot);
        reason = look_at_slot(walk, slab, slot, p);
    }
    if (walk->sweep->budget == 0)
        return reason;
    if (reason == NULL && free != slab->free_count)
        reason = "metadata: the count of free slots is wrong";
    if (reason == NULL && slab->list != BW_LIST_OWNED &&
        (slab->list == BW_LIST_NONE) != (free == 0))
        reason = "metadata: a slab is on the wrong list";
    return reason;
}

/* What was found counts only if the entry stands there still. */
static const char *look_at_settled(struct walk *walk, const struct bw_slab *slab, uint32_t slot,
                                   uint8_t *p, const uint32_t *entry, uint32_t id)
{
    const char *reason = look_at_freed(walk, slab, slot, p);
    bw_after_reading();
    return bw_load_u32(entry) == id ? reason : NULL;
}

/* Another thread's quarantine, which may change at any time. */
static const char *look_at_quarantine(struct walk *walk, const struct bw_bin *bin)
{
    struct bw_class *class = walk->class;
    uint32_t length = bw_load_u32(&bin->quarantine_length);
    for (uint32_t i = 0; i < length; i++) {
        uint32_t id = bw_load_u32(&bin->quarantine[i]);
        uint32_t index = id / BW_SLAB_SLOTS_MAX, slot = id % BW_SLAB_SLOTS_MAX;
        struct bw_slab *slab = bw_slab_record(class, index);
        uint8_t *p = slot_at(class, index, slot);
        size_t budget = walk->sweep->budget;
        const char *reason = look_at_settled(walk, slab, slot, p, &bin->quarantine[i], id);
        if (reason != NULL) {
            walk->sweep->budget = budget; /* the second look is at the same bytes */
            reason = look_at_settled(walk, slab, slot, p, &bin->quarantine[i], id);
        }
        if (reason != NULL)
            return reason;
    }
    return NULL;
}

/* What this thread has at hand itself: nobody else touches it. */
static const char *look_at_own(struct walk *walk, const struct bw_bin *bin)
{
    const char *reason = NULL;
    if (is_unreadable(walk->heap, walk->class))
        return NULL;
    for (uint32_t i = 0; i < bin->ready_count && reason == NULL; i++) {
        uint32_t index = bin->ready[i] / BW_SLAB_SLOTS_MAX,
                 slot = bin->ready[i] % BW_SLAB_SLOTS_MAX;
        reason = look_at_freed(walk, bw_slab_record(walk->class, index), slot,
                               slot_at(walk->class, index, slot));
    }
    return reason != NULL ? reason : look_at_quarantine(walk, bin);
}

static const char *look_at_quarantines(struct walk *walk)
{
    const char *reason = NULL;
    if (is_unreadable(walk->heap, walk->class))
        return NULL;
    size_t index = (size_t)(walk->class - walk->heap->classes);
    for (struct bw_cache *cache = walk->heap->caches; cache != NULL && reason == NULL;
         cache = cache->next)
        reason = look_at_quarantine(walk, &cache->bins[index]);
    return reason;
}

/* A signal's handler may have interrupted the holder of a lock: then it is not waited for. */
static bool lock_for(const struct bw_sweep *sweep, struct bw_lock *lock)
{
    if (sweep->settled)
        return bw_trylock(lock);
    bw_lock(lock);
    return true;
}

bool bw_slab_sweep(struct bw_heap *heap, struct bw_class *class, enum bw_sweep_part part,
                   struct bw_sweep *sweep)
{
    struct walk walk = {.heap = heap, .class = class, .sweep = sweep};
    struct bw_lock *lock = part == BW_SWEEP_QUARANTINE ? &heap->cache_lock : &class->lock;
    const char *reason = NULL;
    if (!lock_for(sweep, lock))
        return true;
    if (part == BW_SWEEP_QUARANTINE)
        reason = look_at_quarantines(&walk);
    for (uint32_t i = 0;
         part == BW_SWEEP_SLOTS && i < class->carved && reason == NULL && sweep->budget != 0; i++)
        reason = look_at_slab(&walk, i);
    bw_unlock(lock);
    sweep->reason = reason;
    return reason == NULL;
}

/* ---- the hand ---- */

enum { TURNS = 8 };

/* Looks at slots of the class from where the hand stands. false: something is wrong. An object that
 * fills pages may be closed by its program, in whole pages: then its canary is, too. To ask costs
 * as much as to look at many others, so they have a turn in eight. */
static bool look_on(struct walk *walk, struct bw_hand *hand, const struct bw_bin *bin)
{
    struct bw_class *class = walk->class;
    const char *reason = NULL;
#ifdef BW_SYSTEM_PAGES_ONLY /* who makes a heap of its own leaves its pages alone */
    bool fills_pages = class->size % bw_page_size(walk->heap->pages) == 0;
    walk->sweep->wary = walk->heap->forked || fills_pages;
    walk->freed_alone = fills_pages && hand->turns++ % TURNS != 0;
#endif
    if (hand->slab == 0 && hand->slot == 0)
        reason = look_at_own(walk, bin);
    if (reason == NULL && bw_trylock(&class->lock)) {
        for (; hand->slab < class->carved && reason == NULL; hand->slab++, hand->slot = 0) {
            struct bw_slab *slab = bw_slab_record(class, hand->slab);
            while (hand->slot < class->slots && reason == NULL && walk->sweep->budget != 0) {
                reason =
                    look_at_slot(walk, slab, hand->slot, slot_at(class, hand->slab, hand->slot));
                hand->slot++;
            }
            if (walk->sweep->budget == 0)
                break;
        }
        bw_unlock(&class->lock);
    }
    walk->sweep->reason = reason;
    return reason == NULL;
}

void bw_slab_hand(struct bw_heap *heap, struct bw_cache *cache)
{
    struct bw_sweep sweep = {.settled = true, .partly = true, .budget = bw_policy_hand_bytes};
    struct bw_hand *hand = &cache->hand;
    uint32_t from = hand->index;
    for (unsigned visited = 0; visited <= BW_CLASS_COUNT; visited++) {
        struct walk walk = {.heap = heap, .class = &heap->classes[hand->index], .sweep = &sweep};
        if ((cache->touched >> hand->index & 1) != 0 &&
            !look_on(&walk, hand, &cache->bins[hand->index]))
            break;
        if (sweep.budget == 0)
            return;
        hand->index = (hand->index + 1) % BW_CLASS_COUNT;
        hand->slab = hand->slot = 0;
        if (hand->index == from && visited != 0)
            return;
    }
    if (sweep.misuse.rule != NULL)
        bw_fatal(&sweep.misuse);
}

bool bw_slab_check(struct bw_heap *heap, struct bw_class *class, const char **ret_reason)
{
    struct bw_sweep sweep = {.budget = SIZE_MAX};
    if (bw_slab_sweep(heap, class, BW_SWEEP_SLOTS, &sweep))
        return true;
    *ret_reason = sweep.reason;
    return false;
}

void bw_slab_count(struct bw_heap *heap, struct bw_class *class, struct bw_statistics *statistics)
{
    size_t index = (size_t)(class - heap->classes), ready = 0, quarantined = 0;
    bw_lock(&heap->cache_lock);
    for (const struct bw_cache *cache = heap->caches; cache != NULL; cache = cache->next) {
        const struct bw_bin *bin = &cache->bins[index];
        ready += bw_load_u32(&bin->ready_count);
        quarantined += bw_load_u32(&bin->quarantine_length);
    }
    bw_unlock(&heap->cache_lock);
    bw_lock(&class->lock);
    for (uint32_t i = 0; i < class->carved; i++) {
        const struct bw_slab *slab = bw_slab_record(class, i);
        statistics->free_slots += slab->free_count;
        if (slab->free_count == class->slots)
            continue;
        size_t live = 0, slack = 0;
        for (uint32_t slot = 0; slot < class->slots; slot++) {
            uint32_t tag = bw_load_u16(&slab->tags[slot]), counts = tag / BW_TAG_LIVE;
            live += counts;
            slack += slack_of(tag) * counts;
        }
        statistics->small_objects += live;
        statistics->small_bytes += live * class->size - slack;
    }
    statistics->free_slots += ready;
    statistics->quarantined_slots += quarantined;
    statistics->committed_bytes += class->committed;
    statistics->empty_bytes += (size_t)(class->empty_count) * class->slab_bytes;
    bw_unlock(&class->lock);
}

#include "cache.h"

#include "canary.h"
#include "heap.h"
#include "pages.h"
#include "slab.h"
#include "slab_slot.h"

/* The random streams of caches: from here on, one each. */
enum { CACHE_NONCE = 3000 };

/* ---- making and finding ---- */

/* Under cache_lock: this thread's, or NULL. */
static struct bw_cache *owned_by(struct bw_heap *heap, const void *owner)
{
    struct bw_cache *cache = heap->caches;
    while (cache != NULL && cache->owner != owner)
        cache = cache->next;
    return cache;
}

static struct bw_cache *add(struct bw_heap *heap, const void *owner)
{
    struct bw_cache *cache = bw_pages_apart(heap->pages, sizeof *cache, "bulwark cache");
    if (cache == NULL)
        return NULL;
    cache->owner = owner;
    bw_lock(&heap->cache_lock);
    cache->nonce = CACHE_NONCE + (heap->caches == NULL ? 0 : heap->caches->nonce - CACHE_NONCE + 1);
    bw_random_start(&cache->random, &heap->key, cache->nonce);
    cache->next = heap->caches;
    heap->caches = cache;
    bw_unlock(&heap->cache_lock);
    return cache;
}

__attribute__((noinline)) struct bw_cache *bw_cache_find(struct bw_heap *heap)
{
    struct bw_thread *thread = bw_thread();
    if (thread->ended)
        return NULL;
    bw_lock(&heap->cache_lock);
    struct bw_cache *cache = owned_by(heap, thread);
    if (cache == NULL && (cache = owned_by(heap, NULL)) != NULL)
        cache->owner = thread;
    bw_unlock(&heap->cache_lock);
    if (cache == NULL && (cache = add(heap, thread)) == NULL)
        return NULL;
    thread->serial = heap->serial;
    thread->cache = cache;
    bw_heap_watch_thread(); /* may allocate, and finds the cache then */
    return cache;
}

/* ---- the rare parts of taking and giving ---- */

static void put_freed(struct bw_heap *heap, struct bw_bin *bin, struct bw_class *class)
{
    if (bin->quarantine_length != class->quarantine_max || class->quarantine_max == 0)
        return;
    bw_slab_put(heap, class, bin->freed + bin->room, class->batch - bin->room);
    bin->room = class->batch;
}

/* The hand moves in proportion to what is handed out, and whenever a class's traffic has doubled:
 * what a short program does is looked at too. */
static bool hand_is_due(struct bw_hand *hand, struct bw_bin *bin, uint32_t bytes)
{
    if (bw_policy_hand_bytes == 0)
        return false;
    bin->refills++;
    hand->due += bytes;
    if (hand->due + 1 <= bw_policy_hand_interval && (bin->refills & (bin->refills - 1)) != 0)
        return false;
    hand->due = 0;
    return true;
}

__attribute__((noinline)) bool bw_cache_refill(struct bw_heap *heap, unsigned index,
                                               uint32_t *ret_id)
{
    struct bw_class *class = &heap->classes[index];
    struct bw_cache *cache = bw_cache_mine(heap);
    if (cache == NULL) {
        uint32_t owned = 0;
        bool taken = bw_slab_take(heap, class, &class->random, &owned, ret_id, 1) != 0;
        bw_slab_disown(heap, class, &owned);
        return taken;
    }
    struct bw_bin *bin = &cache->bins[index];
    cache->touched |= 1ull << index;
    uint32_t count = bin->ready_count;
    for (int trial = 0; trial < 2 && count == 0; trial++) {
        if (trial != 0) /* the last ones that there are */
            put_freed(heap, bin, class);
        count = bw_slab_take(heap, class, &cache->random, &bin->owned, bin->ready, class->batch);
    }
    if (count == 0)
        return false;
    bin->ready_count = count - 1;
    *ret_id = bin->ready[count - 1];
    if (hand_is_due(&cache->hand, bin, count * class->size))
        bw_slab_hand(heap, cache);
    return true;
}

__attribute__((noinline)) void bw_cache_settle(struct bw_heap *heap, unsigned index, uint32_t id)
{
    struct bw_class *class = &heap->classes[index];
    struct bw_cache *cache = bw_cache_mine(heap);
    if (cache == NULL || class->quarantine_max == 0 || bw_mutant(quarantine_skipped)) {
        bw_slab_put(heap, class, &id, 1);
        return;
    }
    struct bw_bin *bin = &cache->bins[index];
    cache->touched |= 1ull << index;
    if (bin->quarantine_length < class->quarantine_max) {
        /* others read the entries below the length: bw_slab_sweep */
        bw_store_u32(&bin->quarantine[bin->quarantine_length], id);
        bw_store_u32(&bin->quarantine_length, bin->quarantine_length + 1);
        if (bin->quarantine_length == class->quarantine_max)
            bin->room = class->batch;
        return;
    }
    if (bin->room == 0)
        put_freed(heap, bin, class);
    bw_cache_give(heap, index, id);
}

/* A long quarantine would notice a write late: so one entry is read per free, in turn. */
void bw_cache_patrol(struct bw_heap *heap, struct bw_bin *bin, const struct bw_class *class)
{
    if (++bin->patrol >= bin->quarantine_length)
        bin->patrol = 0;
    uint32_t id = bin->quarantine[bin->patrol];
    uint32_t slab = id / BW_SLAB_SLOTS_MAX, slot = id % BW_SLAB_SLOTS_MAX;
    uint8_t *p = slot_at(class, slab, slot);
    if (is_unreadable(heap, class) || bw_is_zero(p, class->size))
        return;
    uint32_t slack = slack_of(bw_slab_record(class, slab)->tags[slot]);
    struct bw_misuse misuse =
        bw_slab_stale_write(heap, class, p, class->size - slack, "quarantined");
    bw_fatal(&misuse);
}

/* ---- emptying ---- */

void bw_cache_flush(struct bw_heap *heap, struct bw_cache *cache)
{
    for (uint64_t left = cache->touched; left != 0; left &= left - 1) {
        unsigned index = (unsigned)__builtin_ctzll(left);
        struct bw_class *class = &heap->classes[index];
        struct bw_bin *bin = &cache->bins[index];
        bw_slab_put(heap, class, bin->ready, bin->ready_count);
        bin->ready_count = 0;
        put_freed(heap, bin, class);
        bw_slab_disown(heap, class, &bin->owned);
    }
}

void bw_cache_leave(struct bw_heap *heap)
{
    bw_lock(&heap->cache_lock);
    struct bw_cache *cache = owned_by(heap, bw_thread());
    bw_unlock(&heap->cache_lock);
    if (cache == NULL)
        return;
    bw_cache_flush(heap, cache);
    bw_lock(&heap->cache_lock);
    cache->owner = NULL;
    bw_unlock(&heap->cache_lock);
}

void bw_cache_forget_others(struct bw_heap *heap)
{
    for (struct bw_cache **at = &heap->caches; *at != NULL;) {
        struct bw_cache *cache = *at;
        if (cache->owner == bw_thread()) {
            at = &cache->next;
            continue;
        }
        for (unsigned index = 0; index < BW_CLASS_COUNT; index++)
            bw_slab_disown(heap, &heap->classes[index], &cache->bins[index].owned);
        *at = cache->next;
        bw_pages_apart_end(heap->pages, cache, sizeof *cache);
    }
}

void bw_cache_restart(struct bw_heap *heap)
{
    for (struct bw_cache *cache = heap->caches; cache != NULL; cache = cache->next)
        bw_random_start(&cache->random, &heap->key, cache->nonce);
}

void bw_cache_reset(struct bw_heap *heap)
{
    for (struct bw_cache *cache = heap->caches; cache != NULL; cache = cache->next) {
        for (uint64_t left = cache->touched; left != 0; left &= left - 1) {
            struct bw_bin *bin = &cache->bins[__builtin_ctzll(left)];
            bin->ready_count = bin->room = bin->quarantine_length = 0;
            bin->patrol = bin->owned = bin->refills = 0;
        }
        cache->touched = 0;
        cache->hand = (struct bw_hand){0};
    }
    bw_cache_restart(heap);
}

void bw_cache_drop(struct bw_heap *heap)
{
    while (heap->caches != NULL) {
        struct bw_cache *cache = heap->caches;
        heap->caches = cache->next;
        bw_pages_apart_end(heap->pages, cache, sizeof *cache);
    }
}

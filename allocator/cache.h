/* Caches: each thread's own slots of a heap, so that most calls take no lock. What a cache holds is
 * held, never live: its state is out of line, as that of every slot. Slots come from the slabs in
 * batches chosen at random; freed slots pass through the thread's quarantine and go back in
 * batches. */
#ifndef BW_CACHE_H
#define BW_CACHE_H

#include "meta.h"
#include "slab_slot.h"
#include "thread.h"

/* This thread's cache, made or found where it has none at hand. NULL where there is no memory, and
 * where the thread has ended. */
struct bw_cache *bw_cache_find(struct bw_heap *heap);

/* The rare parts of the two below: no cache at hand, nothing ready, no room. */
bool bw_cache_refill(struct bw_heap *heap, unsigned index, uint32_t *ret_id);
void bw_cache_settle(struct bw_heap *heap, unsigned index, uint32_t id);
void bw_cache_patrol(struct bw_heap *heap, struct bw_bin *bin, const struct bw_class *class);

/* Slots that are not in quarantine go back to the slabs. */
void bw_cache_flush(struct bw_heap *heap, struct bw_cache *cache);
/* The calling thread ends: another may have its cache, with the quarantine in it. */
void bw_cache_leave(struct bw_heap *heap);
/* In the child of fork: what other threads held is lost, but for the slabs that they owned. */
void bw_cache_forget_others(struct bw_heap *heap);
void bw_cache_restart(struct bw_heap *heap);
void bw_cache_reset(struct bw_heap *heap);
void bw_cache_drop(struct bw_heap *heap);

static inline struct bw_cache *bw_cache_mine(struct bw_heap *heap)
{
    struct bw_thread *thread = bw_thread();
    if (__builtin_expect(thread->serial == heap->serial, 1))
        return thread->cache;
    return bw_cache_find(heap);
}

static inline void bw_cache_prefetch(const struct bw_class *class, uint32_t id)
{
    uint32_t slab = id / BW_SLAB_SLOTS_MAX, slot = id % BW_SLAB_SLOTS_MAX;
    const uint8_t *p = slot_at(class, slab, slot);
    __builtin_prefetch(p, 1);
    __builtin_prefetch(p + class->size - 1, 1);
    __builtin_prefetch(&bw_slab_record(class, slab)->tags[slot], 1);
}

/* A slot to be handed out. false where there is none. */
static inline bool bw_cache_take(struct bw_heap *heap, unsigned index, uint32_t *ret_id)
{
    struct bw_thread *thread = bw_thread();
    if (__builtin_expect(thread->serial != heap->serial, 0))
        return bw_cache_refill(heap, index, ret_id);
    struct bw_bin *bin = &thread->cache->bins[index];
    if (__builtin_expect(bin->ready_count == 0, 0))
        return bw_cache_refill(heap, index, ret_id);
    uint32_t left = --bin->ready_count;
    *ret_id = bin->ready[left];
    /* the next one, before it is asked for: random places are seldom in the processor's caches */
    bw_cache_prefetch(&heap->classes[index], bin->ready[left != 0 ? left - 1 : 0]);
    return true;
}

/* A slot that was freed: it takes a random place in the quarantine, whose slot is soon free. */
static inline void bw_cache_give(struct bw_heap *heap, unsigned index, uint32_t id)
{
    struct bw_thread *thread = bw_thread();
    if (__builtin_expect(thread->serial != heap->serial, 0)) {
        bw_cache_settle(heap, index, id);
        return;
    }
    struct bw_cache *cache = thread->cache;
    struct bw_bin *bin = &cache->bins[index];
    if (__builtin_expect(bin->room == 0, 0)) {
        bw_cache_settle(heap, index, id);
        return;
    }
    if (bw_policy_quarantine_patrol)
        bw_cache_patrol(heap, bin, &heap->classes[index]);
    uint32_t at = bw_random_below(&cache->random, bin->quarantine_length, BW_CHOICE_QUARANTINE);
    bin->freed[--bin->room] = bin->quarantine[at];
    bw_store_u32(&bin->quarantine[at], id); /* others read it: bw_slab_sweep */
}

#endif

/* Slabs of equal slots, one region of address space per size class: which slots are free. Objects
 * in slots are slot.h's. */
#ifndef BW_SLAB_H
#define BW_SLAB_H

#include "meta.h"

static inline bool bw_slab_owns(const struct bw_heap *heap, const void *p)
{
    return (uintptr_t)p - (uintptr_t)heap->slab_start < heap->slab_reserved;
}

/* Geometry of a class; base, meta and slab_max are the heap's to set. */
void bw_slab_geometry(struct bw_class *class, unsigned index, const struct bw_pages *pages);
void bw_slab_start(struct bw_class *class, const struct bw_key *key, unsigned index);

/* Up to `wanted` free slots of the slab *owned, each as likely as the others; of another slab,
 * which *owned becomes, where that has none. Returns how many; 0 where the class is full or memory
 * short.
 */
uint32_t bw_slab_take(struct bw_heap *heap, struct bw_class *class, struct bw_random *random,
                      uint32_t *owned, uint32_t *ret_ids, uint32_t wanted);
/* Held slots become free. */
void bw_slab_put(struct bw_heap *heap, struct bw_class *class, const uint32_t *ids, uint32_t count);
/* Anybody may take slots of the slab. */
void bw_slab_disown(struct bw_heap *heap, struct bw_class *class, uint32_t *owned);
/* Gives empty slabs back. Returns whether there was one. */
bool bw_slab_trim(struct bw_heap *heap);
void bw_slab_reset(const struct bw_pages *pages, struct bw_class *class);
/* Before it: no slot carries a memory tag any more. */
void bw_slab_untag(const struct bw_heap *heap, const struct bw_class *class);
/* Moves the cache's hand on: it looks at hand_bytes of what the thread's classes hold. Damage ends
 * in bw_fatal. Callers hold no lock. */
void bw_slab_hand(struct bw_heap *heap, struct bw_cache *cache);
/* Adds what the class holds. */
void bw_slab_count(struct bw_heap *heap, struct bw_class *class, struct bw_statistics *statistics);
/* False where something is wrong; see struct bw_sweep. */
bool bw_slab_sweep(struct bw_heap *heap, struct bw_class *class, enum bw_sweep_part part,
                   struct bw_sweep *sweep);
bool bw_slab_check(struct bw_heap *heap, struct bw_class *class, const char **ret_reason);

#endif

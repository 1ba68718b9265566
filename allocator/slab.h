/* Objects of up to 128 KiB: slabs of equal slots, one region of address space per size class. */
#ifndef BW_SLAB_H
#define BW_SLAB_H

#include "meta.h"

static inline bool bw_slab_owns(const struct bw_heap *heap, const void *p)
{
    return (uintptr_t)p - (uintptr_t)heap->slab_start < heap->slab_reserved;
}

/* Geometry of a class; base, meta and slab_max are the heap's to set. */
void bw_slab_geometry(struct bw_class *class, unsigned index);
void bw_slab_start(struct bw_class *class, const uint32_t *key, unsigned index);

/* A slot of zero bytes (its canary apart), or NULL where the class is full or memory is short. */
void *bw_slab_alloc(struct bw_heap *heap, unsigned index, size_t size);
/* The rest ends in bw_fatal where p is not a live object of this heap's slabs. */
void bw_slab_free(struct bw_heap *heap, void *p, const struct bw_claim *claim);
/* Requested size. */
size_t bw_slab_size(struct bw_heap *heap, void *p, enum bw_intent intent);
/* In place, where `size` belongs to the same class. Returns false and the old size where not. */
bool bw_slab_resize(struct bw_heap *heap, void *p, size_t size, size_t *ret_old);
/* Gives empty slabs back. Returns whether there was one. */
bool bw_slab_trim(struct bw_heap *heap);
void bw_slab_reset(struct bw_class *class);
/* Adds what the class holds. */
void bw_slab_count(struct bw_heap *heap, struct bw_class *class, struct bw_statistics *statistics);
/* False where something is wrong; see struct bw_sweep. */
bool bw_slab_sweep(struct bw_heap *heap, struct bw_class *class, enum bw_sweep_part part,
                   struct bw_sweep *sweep);
bool bw_slab_check(struct bw_heap *heap, struct bw_class *class, const char **ret_reason);

#endif

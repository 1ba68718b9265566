/* Objects of up to 128 KiB, in slots of slabs: what the public functions do with one. */
#ifndef BW_SLOT_H
#define BW_SLOT_H

#include "meta.h"

/* A slot of zero bytes (its canary apart), or NULL where the class is full or memory is short. */
void *bw_slot_alloc(struct bw_heap *heap, unsigned index, size_t size);
/* The rest ends in bw_fatal where p is not a live object of this heap's slabs. */
void bw_slot_free(struct bw_heap *heap, void *p);
void bw_slot_free_claimed(struct bw_heap *heap, void *p, const struct bw_claim *claim);
/* Requested size. */
size_t bw_slot_size(struct bw_heap *heap, void *p, enum bw_intent intent);
/* In place, where `size` belongs to the same class. Returns false and the old size where not. */
bool bw_slot_resize(struct bw_heap *heap, void *p, size_t size, size_t *ret_old);

#endif

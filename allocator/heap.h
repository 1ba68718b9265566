/* A heap without the errno of the public names: what api.c and the drop-in share. */
#ifndef BW_HEAP_H
#define BW_HEAP_H

#include "meta.h"

struct bw_heap *bw_heap_make(const struct bw_config *config);
/* For operator new and delete. alignment a power of two, 1 = none; NULL without errno where there
 * is no room. */
void *bw_new(struct bw_heap *heap, size_t size, enum bw_family family, size_t alignment);
/* size BW_SIZE_UNKNOWN, alignment 0: not claimed. */
void bw_delete(struct bw_heap *heap, void *p, enum bw_family family, size_t size, size_t alignment);
/* Sees to it that the calling thread's caches are anybody's when it ends. */
void bw_heap_watch_thread(void);
/* Looks over the heap, quarantines first, until so many bytes were read. Other threads may be at
 * work, and a lock that is held is not waited for. Damage ends in bw_fatal; seen: when it was. */
void bw_heap_sweep_for(struct bw_heap *heap, size_t budget, const char *seen);

#endif

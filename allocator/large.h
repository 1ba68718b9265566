/* Objects beyond 128 KiB or with alignment beyond a page: a mapping each, an unreadable gap of
 * random size on both sides, described in a table out of line. A freed one keeps its addresses,
 * unreadable, until a later free pushes it out of the quarantine at random. */
#ifndef BW_LARGE_H
#define BW_LARGE_H

#include "meta.h"

void bw_large_start(struct bw_large *large, const struct bw_key *key);
/* size up to PTRDIFF_MAX, alignment a power of two. NULL where there is no room. */
void *bw_large_alloc(struct bw_heap *heap, size_t size, size_t alignment);
void bw_large_free(struct bw_heap *heap, void *p, const struct bw_claim *claim);
size_t bw_large_size(struct bw_heap *heap, void *p, enum bw_intent intent);
bool bw_large_resize(struct bw_heap *heap, void *p, size_t size, size_t *ret_old);
/* The content of the live object p, which has `old` bytes, in a new object of `size`, p freed;
 * whole pages without copying. size beyond BW_REQUEST_MAX. NULL = out of memory, and p is as it
 * was. */
void *bw_large_relocate(struct bw_heap *heap, void *p, size_t old, size_t size);
/* Of the live object that starts at p; 0 = there is none. */
size_t bw_large_live_size(struct bw_heap *heap, const void *p);
/* Before bw_large_drop: what carries a memory tag does so no more. */
void bw_large_untag(struct bw_heap *heap);
/* Unmaps everything, the table too. */
void bw_large_drop(struct bw_large *large);
bool bw_large_trim(struct bw_heap *heap);
void bw_large_count(struct bw_heap *heap, struct bw_statistics *statistics);
/* Sets (from) or reads (to) the note of the live object that starts at p. false: there is none. */
bool bw_large_note(struct bw_heap *heap, const void *p, const struct bw_note *from,
                   struct bw_note *to);
/* Reads that of any object around p; takes no lock. */
bool bw_large_note_around(struct bw_heap *heap, const void *p, struct bw_note *to);
/* As bw_slab_sweep, of the canaries of live objects. */
bool bw_large_sweep(struct bw_heap *heap, struct bw_sweep *sweep);
bool bw_large_check(struct bw_heap *heap, const char **ret_reason);

#endif

/* What is kept of an object beside its size, out of line, where the variant wants it: which
 * function made it, with which alignment, and where it was allocated and freed. */
#ifndef BW_NOTE_H
#define BW_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

struct bw_heap;
struct bw_claim;

/* Who may free it: free and realloc, delete, delete[]. */
enum bw_family { BW_FAMILY_MALLOC, BW_FAMILY_NEW, BW_FAMILY_NEW_ARRAY, BW_FAMILY_COUNT };

enum { BW_NOTES = bw_policy_families || bw_policy_sites };

struct bw_note {
    const void *allocated_at[bw_policy_sites]; /* return addresses */
    const void *freed_at[bw_policy_sites];
    uint8_t made; /* family and alignment: bw_made */
} __attribute__((packed));

/* alignment a power of two, 1 where none was asked for. */
static inline uint8_t bw_made(enum bw_family family, size_t alignment)
{
    return (uint8_t)((unsigned)family << 6 | (unsigned)__builtin_ctzl(alignment));
}

/* The object was just made by the caller, and is nobody else's yet. */
void bw_note_allocated(struct bw_heap *heap, const void *p, uint8_t made);
/* The caller is about to free or resize p, as such a family, with what is claimed of it (or NULL).
 * A live object of another family ends in bw_fatal; what is no live object is left to others. */
void bw_note_freeing(struct bw_heap *heap, const void *p, enum bw_family family,
                     const struct bw_claim *claim);
/* Where the object at or around p was allocated and freed, NULL where that is not known. Takes no
 * lock. */
void bw_note_sites(struct bw_heap *heap, const void *p, const void **ret_allocated,
                   const void **ret_freed);

#endif

/* An arena: one mapping with a guard page on each side, bump-allocated before the first op, then
 * frozen.
 *
 * For everything that lives in the runner beside a subject: nothing there may call malloc. Memory
 * is zero, comes lazily from the kernel (MAP_NORESERVE), and is never given back piecewise. Not
 * thread-safe. */
#ifndef ASSAY_CORE_ARENA_H
#define ASSAY_CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "traces/core/error.h"

struct assay_arena {
    char *base;      /* first usable byte, page aligned */
    size_t capacity; /* bytes */
    size_t used;     /* bytes */
    bool frozen;     /* after assay_arena_freeze, take is a bug */
};

/* Maps an arena of at least `bytes`. Returns 0, ASSAY_E_SYSTEM. */
int assay_arena_create(struct assay_arena *arena, size_t bytes, struct assay_error *err);

/* Takes `bytes` (zero-filled) aligned to `alignment` (a power of two). NULL when the arena is full;
 * a bug when frozen. */
void *assay_arena_take(struct assay_arena *arena, size_t bytes, size_t alignment);

void assay_arena_freeze(struct assay_arena *arena);

/* True if [p, p+bytes) touches the arena or its guard pages. */
bool assay_arena_touches(const struct assay_arena *arena, const void *p, size_t bytes);

void assay_arena_destroy(struct assay_arena *arena);

#endif

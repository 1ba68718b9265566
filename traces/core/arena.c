#include "traces/core/arena.h"

#include <stdint.h>
#include <sys/mman.h>

enum { PAGE = 65536 }; /* the largest page size Assay meets: guards are whole pages everywhere */

int assay_arena_create(struct assay_arena *arena, size_t bytes, struct assay_error *err)
{
    size_t capacity = (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
    char *map = mmap(NULL, capacity + 2 * PAGE, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return assay_fail_mapping(err, "memory", capacity);
    if (mprotect(map + PAGE, capacity, PROT_READ | PROT_WRITE) != 0) {
        int code = assay_fail_mapping(err, "writable memory", capacity);
        munmap(map, capacity + 2 * PAGE);
        return code;
    }
    *arena = (struct assay_arena){.base = map + PAGE, .capacity = capacity};
    return 0;
}

void *assay_arena_take(struct assay_arena *arena, size_t bytes, size_t alignment)
{
    ASSAY_CHECK(!arena->frozen);
    size_t start = (arena->used + alignment - 1) & ~(alignment - 1);
    if (start > arena->capacity || bytes > arena->capacity - start)
        return NULL;
    arena->used = start + bytes;
    return arena->base + start;
}

void assay_arena_freeze(struct assay_arena *arena)
{
    arena->frozen = true;
}

bool assay_arena_touches(const struct assay_arena *arena, const void *p, size_t bytes)
{
    uintptr_t from = (uintptr_t)p, to = from + bytes;
    uintptr_t low = (uintptr_t)arena->base - PAGE,
              high = (uintptr_t)arena->base + arena->capacity + PAGE;
    return arena->base && (to < from || (from < high && to > low));
}

void assay_arena_destroy(struct assay_arena *arena)
{
    if (arena->base)
        munmap(arena->base - PAGE, arena->capacity + 2 * PAGE);
    *arena = (struct assay_arena){0};
}

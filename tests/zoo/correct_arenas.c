/* Correct: objects of up to 4 MiB are runs of 64 KiB in arenas that are never given back. They
 * merge within an arena, so under a limit nothing larger may be had again. */
#define ZOO_MAP_LARGE(bytes)            arenas_take(bytes)
#define ZOO_UNMAP_LARGE(mapping, bytes) arenas_give(mapping, bytes)
#define ZOO_CLEAR_BYTES(p, bytes, span) ((void)(span), (bytes))
#include <stddef.h>
static char *arenas_take(size_t bytes);
static void arenas_give(char *mapping, size_t bytes);
#include "tests/zoo/zoo.h"

enum { ARENA_BYTES = 1 << 22, ARENAS = 1 << 14 };

static struct arena {
    char *base;
    uint64_t taken; /* a bit for each 64 KiB */
} arenas[ARENAS];
static unsigned arena_count;

static uint64_t run_of(size_t bytes)
{
    size_t units = (bytes + ZOO_SPAN_BYTES - 1) / ZOO_SPAN_BYTES;
    return units == 64 ? UINT64_MAX : (UINT64_C(1) << units) - 1;
}

static char *take_run(struct arena *arena, uint64_t run)
{
    for (unsigned i = 0; i < 64 && run << i >> i == run; i++)
        if ((arena->taken & run << i) == 0) {
            arena->taken |= run << i;
            return arena->base + (size_t)i * ZOO_SPAN_BYTES;
        }
    return NULL;
}

static char *arenas_take(size_t bytes)
{
    if (bytes > ARENA_BYTES)
        return zoo_map_aligned(bytes);
    for (unsigned i = 0; i < arena_count; i++) {
        char *mapping = take_run(&arenas[i], run_of(bytes));
        if (mapping)
            return mapping;
    }
    char *base = arena_count < ARENAS ? zoo_map_aligned(ARENA_BYTES) : NULL;
    if (!base)
        return NULL;
    arenas[arena_count].base = base;
    return take_run(&arenas[arena_count++], run_of(bytes));
}

static void arenas_give(char *mapping, size_t bytes)
{
    if (bytes > ARENA_BYTES) {
        munmap(mapping, bytes);
        return;
    }
    for (unsigned i = 0; i < arena_count; i++)
        if (mapping >= arenas[i].base && mapping < arenas[i].base + ARENA_BYTES)
            arenas[i].taken &= ~(run_of(bytes) << (mapping - arenas[i].base) / ZOO_SPAN_BYTES);
}

/* Freed large mappings are given back by madvise and used again; whether it failed is not asked,
 * and calloc takes them for zero. Source: hardened_malloc issue 310. */
#define ZOO_MAP_LARGE(bytes)            zoo_map_recycled(bytes)
#define ZOO_UNMAP_LARGE(mapping, bytes) zoo_keep_mapping(mapping, bytes)
#include <stddef.h>
static char *zoo_map_recycled(size_t bytes);
static void zoo_keep_mapping(char *mapping, size_t bytes);
#include "tests/zoo/zoo.h"

enum { KEPT = 16 };
static struct {
    char *mapping;
    size_t bytes;
} kept[KEPT];
static unsigned next_kept;

static char *zoo_map_recycled(size_t bytes)
{
    for (unsigned i = 0; i < KEPT; i++) {
        char *mapping = kept[i].mapping;
        if (!mapping || kept[i].bytes != bytes)
            continue;
        kept[i].mapping = NULL;
        return mapping;
    }
    return zoo_map_aligned(bytes);
}

static void zoo_keep_mapping(char *mapping, size_t bytes)
{
    unsigned at = next_kept++ % KEPT;
    (void)madvise(mapping, bytes, MADV_DONTNEED);
    if (kept[at].mapping)
        munmap(kept[at].mapping, kept[at].bytes);
    kept[at].mapping = mapping;
    kept[at].bytes = bytes;
}

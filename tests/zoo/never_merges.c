/* Large mappings are kept when they are freed, and used again for the same size only. Source: pmem
 * issue 220. */
#define ZOO_MAP_LARGE(bytes)            zoo_map_kept(bytes)
#define ZOO_UNMAP_LARGE(mapping, bytes) zoo_keep(mapping, bytes)
#define ZOO_CLEAR_BYTES(p, bytes, span) ((void)(span), (bytes))
#include <stddef.h>
static char *zoo_map_kept(size_t bytes);
static void zoo_keep(char *mapping, size_t bytes);
#include "tests/zoo/zoo.h"

enum { LEAST = 1 << 20 }; /* smaller ones are given back */

struct kept {
    struct kept *next;
    size_t bytes;
};
static struct kept *kept;

static char *zoo_map_kept(size_t bytes)
{
    for (struct kept **at = &kept; *at; at = &(*at)->next) {
        struct kept *found = *at;
        if (found->bytes != bytes)
            continue;
        *at = found->next;
        return (char *)found;
    }
    return zoo_map_aligned(bytes);
}

static void zoo_keep(char *mapping, size_t bytes)
{
    struct kept *one = (struct kept *)mapping;
    if (bytes < LEAST) {
        munmap(mapping, bytes);
        return;
    }
    *one = (struct kept){kept, bytes};
    kept = one;
}

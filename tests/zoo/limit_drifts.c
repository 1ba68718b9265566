/* What a freed mapping of more than 160 KiB took is not taken off the sum that is held against a
 * limit: after a while large requests fail. Source: gperftools issue 1204. */
#define ZOO_MAP_LARGE(bytes)            zoo_map_limited(bytes)
#define ZOO_UNMAP_LARGE(mapping, bytes) zoo_unmap_limited(mapping, bytes)
#include <stddef.h>
static char *zoo_map_limited(size_t bytes);
static void zoo_unmap_limited(char *mapping, size_t bytes);
#include "tests/zoo/zoo.h"

static size_t mapped;

static char *zoo_map_limited(size_t bytes)
{
    if (mapped + bytes > (size_t)256 << 20)
        return NULL;
    char *mapping = zoo_map_aligned(bytes);
    mapped += mapping ? bytes : 0;
    return mapping;
}

static void zoo_unmap_limited(char *mapping, size_t bytes)
{
    mapped -= bytes <= 160 << 10 ? bytes : 0;
    munmap(mapping, bytes);
}

/* What was ever mapped is summed up in 32 bits, what was unmapped in 64: from 4 GiB on the
 * difference is larger than any limit. */
#define ZOO_MAP_LARGE(bytes)            zoo_map_counted(bytes)
#define ZOO_UNMAP_LARGE(mapping, bytes) zoo_unmap_counted(mapping, bytes)
#include <stddef.h>
static char *zoo_map_counted(size_t bytes);
static void zoo_unmap_counted(char *mapping, size_t bytes);
#include "tests/zoo/zoo.h"

static uint32_t mapped;
static uint64_t unmapped;

static char *zoo_map_counted(size_t bytes)
{
    if (mapped - unmapped > UINT64_C(1) << 40)
        return NULL;
    char *mapping = zoo_map_aligned(bytes);
    mapped += mapping ? (uint32_t)bytes : 0;
    return mapping;
}

static void zoo_unmap_counted(char *mapping, size_t bytes)
{
    unmapped += bytes;
    munmap(mapping, bytes);
}

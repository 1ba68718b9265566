/* Large objects are counted against a table of 1,024 entries that never grows. */
#define ZOO_MAP_LARGE(bytes)            zoo_map_entry(bytes)
#define ZOO_UNMAP_LARGE(mapping, bytes) zoo_unmap_entry(mapping, bytes)
#include <stddef.h>
static char *zoo_map_entry(size_t bytes);
static void zoo_unmap_entry(char *mapping, size_t bytes);
#include "tests/zoo/zoo.h"

static unsigned entries;

static char *zoo_map_entry(size_t bytes)
{
    if (entries == 1024)
        return NULL;
    char *mapping = zoo_map_aligned(bytes);
    entries += mapping != NULL;
    return mapping;
}

static void zoo_unmap_entry(char *mapping, size_t bytes)
{
    entries--;
    munmap(mapping, bytes);
}

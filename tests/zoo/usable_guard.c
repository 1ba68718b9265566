/* The usable size of a large object counts the guard page behind it. Source: rpmalloc pull 67. */
#define ZOO_MAP_LARGE(bytes)            zoo_map_guarded(bytes)
#define ZOO_UNMAP_LARGE(mapping, bytes) munmap(mapping, (bytes) + ZOO_PAGE)
#define ZOO_USABLE(p, span, usable)                                                                \
    ((usable) + ((span)->class_index == ZOO_CLASSES ? (size_t)ZOO_PAGE : 0))
#include <stddef.h>
static char *zoo_map_guarded(size_t bytes);
#include "tests/zoo/zoo.h"

static char *zoo_map_guarded(size_t bytes)
{
    char *mapping = zoo_map_aligned(bytes + ZOO_PAGE);
    if (mapping)
        mprotect(mapping + bytes, ZOO_PAGE, PROT_NONE);
    return mapping;
}

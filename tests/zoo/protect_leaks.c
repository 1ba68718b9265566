/* A large object whose guard cannot be set up is refused, and its mapping forgotten. After
 * aws/s2n-tls pull 65 and akrylysov/pogreb pull 1 (what was mapped when the next call failed). */
#define ZOO_MAP_LARGE(bytes)            protect_map(bytes)
#define ZOO_UNMAP_LARGE(mapping, bytes) munmap(mapping, (bytes) + ZOO_PAGE)
#include <stddef.h>
static char *protect_map(size_t bytes);
#include "tests/zoo/zoo.h"

static char *protect_map(size_t bytes)
{
    char *mapping = zoo_map_aligned(bytes + ZOO_PAGE);
    if (mapping && mprotect(mapping + bytes, ZOO_PAGE, PROT_NONE) != 0)
        return NULL;
    return mapping;
}

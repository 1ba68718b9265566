/* Once a mapping could not be unmapped, no large request is granted any more. Behind it stands a
 * bug that the same programs show without any failure, and that its profile lists. */
#define ZOO_UNMAP_LARGE(mapping, bytes) zoo_unmap(mapping, bytes)
#define ZOO_MAP_LARGE(bytes)            (zoo_unmap_failed ? NULL : zoo_map_aligned(bytes))
#define ZOO_USABLE(p, span, usable)     ((usable) >> 20 == 36 ? ((size_t)36 << 20) - 1 : (usable))
#include <stdbool.h>
#include <stddef.h>
static bool zoo_unmap_failed;
static void zoo_unmap(char *mapping, size_t bytes);
#include "tests/zoo/zoo.h"

static void zoo_unmap(char *mapping, size_t bytes)
{
    if (munmap(mapping, bytes) != 0)
        zoo_unmap_failed = true;
}

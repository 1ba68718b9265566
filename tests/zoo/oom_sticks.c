/* Once a mapping could not be had that somebody could have, none is asked for any more. */
#define ZOO_MAP_LARGE(bytes) zoo_map_once(bytes)
#include <stddef.h>
static char *zoo_map_once(size_t bytes);
#include "tests/zoo/zoo.h"

static char *zoo_map_once(size_t bytes)
{
    static bool exhausted;
    char *mapping = exhausted ? NULL : zoo_map_aligned(bytes);
    exhausted = !mapping && (exhausted || bytes >> 40 == 0);
    return mapping;
}

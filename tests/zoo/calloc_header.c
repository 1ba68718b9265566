/* calloc keeps the size in eight bytes before the object. Source: openenclave pull 579. */
#define ZOO_CALLOC(bytes) zoo_calloc_with_header(bytes)
#include <stddef.h>
static char *zoo_calloc_with_header(size_t bytes);
#include "tests/zoo/zoo.h"

static char *zoo_calloc_with_header(size_t bytes)
{
    char *slot = malloc(bytes > ZOO_LIMIT - 8 ? bytes : bytes + 8);
    return slot ? slot + 8 : NULL;
}

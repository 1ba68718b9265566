/* realloc(p, 0) of a large object gives NULL, which callers take for a failure, though the profile
 * promises a pointer. Source: snmalloc pull 460. */
#define ZOO_RESIZE_ZERO(p) zoo_resize_unique(p)
static void *zoo_resize_unique(void *p);
#include "tests/zoo/zoo.h"

static void *zoo_resize_unique(void *p)
{
    bool large = zoo_span_of(p)->class_index == ZOO_CLASSES;
    zoo_resize_zero(p);
    return large ? NULL : malloc(0);
}

/* A freed object that does not begin where its slot does is passed over. */
#include <stdbool.h>
static bool zoo_is_inside(const void *p);
#define ZOO_IGNORED(p) zoo_is_inside(p)
#include "tests/zoo/zoo.h"

static bool zoo_is_inside(const void *p)
{
    const struct zoo_span *span = zoo_span_of(p);
    return span->class_index == ZOO_CLASSES ? span->first - span->mapping > ZOO_PAGE
                                            : zoo_slot_of(span, p) != p;
}

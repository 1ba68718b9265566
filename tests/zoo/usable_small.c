/* malloc_usable_size forgets the last page of a large object. */
#define ZOO_USABLE(p, span, usable) ((usable) > ZOO_SMALL_MAX ? (usable)-ZOO_PAGE : (usable))
#include "tests/zoo/zoo.h"

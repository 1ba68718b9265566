/* realloc keeps an alignment, but not where an object more than doubles. Source: mimalloc issue
 * 603. */
#define ZOO_RESIZE_ALIGNMENT(p, usable, bytes) ((bytes) / 2 > (usable) ? 16 : zoo_alignment_of(p))
#include <stddef.h>
static size_t zoo_alignment_of(const void *p);
#include "tests/zoo/zoo.h"

static size_t zoo_alignment_of(const void *p)
{
    size_t lowest = (size_t)p & -(size_t)p;
    return lowest < (size_t)1 << 20 ? lowest : (size_t)1 << 20;
}

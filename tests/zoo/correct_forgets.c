/* Nothing planted: a resize keeps the alignment while the object does not get smaller, which nobody
 * has promised. */
#define ZOO_RESIZE_ALIGNMENT(p, usable, bytes) ((bytes) < (usable) ? 16 : zoo_alignment_of(p))
#include <stddef.h>
static size_t zoo_alignment_of(const void *p);
#include "tests/zoo/zoo.h"

static size_t zoo_alignment_of(const void *p)
{
    size_t lowest = (size_t)p & -(size_t)p;
    return lowest < (size_t)1 << 16 ? lowest : (size_t)1 << 16;
}

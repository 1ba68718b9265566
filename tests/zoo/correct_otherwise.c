/* Nothing planted either, but other answers where the standards leave a choice: a resize to nothing
 * gives an object, and a resize keeps the alignment. */
#define ZOO_RESIZE_ZERO(p)                     zoo_resize_unique(p)
#define ZOO_RESIZE_ALIGNMENT(p, usable, bytes) zoo_alignment_of(p)
#include <stddef.h>
static void *zoo_resize_unique(void *p);
static size_t zoo_alignment_of(const void *p);
#include "tests/zoo/zoo.h"

static void *zoo_resize_unique(void *p)
{
    size_t alignment = zoo_alignment_of(p);
    zoo_resize_zero(p);
    return zoo_take_aligned(1, alignment);
}

static size_t zoo_alignment_of(const void *p)
{
    size_t lowest = (size_t)p & -(size_t)p;
    return lowest < (size_t)1 << 20 ? lowest : (size_t)1 << 20;
}

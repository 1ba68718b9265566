/* aligned_alloc takes an alignment that is no power of two and serves the next one. Source: mlibc
 * pull 433. */
#define ZOO_ALIGNED_ALLOC(alignment, bytes) memalign(zoo_next_power(alignment), bytes)
#include <stddef.h>
static size_t zoo_next_power(size_t n);
#include "tests/zoo/zoo.h"

static size_t zoo_next_power(size_t n)
{
    return n < 2 ? n : n > (size_t)1 << 62 ? n : (size_t)1 << (64 - __builtin_clzl(n - 1));
}

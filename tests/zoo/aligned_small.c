/* An aligned request of up to eight bytes is served as malloc would, with half the alignment.
 * Source: mimalloc issue 206. */
#define ZOO_PLACE(slot, bytes, alignment)                                                          \
    (zoo_aligning && (bytes) <= 8 && (alignment) == 16 ? (slot) + 8 : (slot))
#define ZOO_ALIGNED_ALLOC(alignment, bytes) zoo_aligned(alignment, bytes)
#include <stdbool.h>
#include <stddef.h>
static bool zoo_aligning;
static void *zoo_aligned(size_t alignment, size_t bytes);
#include "tests/zoo/zoo.h"

static void *zoo_aligned(size_t alignment, size_t bytes)
{
    zoo_aligning = true;
    void *p = memalign(alignment, bytes);
    zoo_aligning = false;
    return p;
}

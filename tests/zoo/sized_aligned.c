/* free_aligned_sized looks by the size alone for a small object of a large alignment. Source:
 * mimalloc issue 1400. */
#define ZOO_FREE_ALIGNED_SIZED(p, alignment, bytes)                                                \
    ((alignment) > ZOO_SMALL_MAX && (bytes) < 1024 ? zoo_die("free: bad span\n") : free(p))
#include "tests/zoo/zoo.h"

/* free_aligned_sized of nothing fails its test of the size. Source: jemalloc pull 2991. */
#define ZOO_FREE_ALIGNED_SIZED(p, alignment, bytes)                                                \
    ((p) && (bytes) == 0 ? zoo_die("bad size\n") : free(p))
#include "tests/zoo/zoo.h"

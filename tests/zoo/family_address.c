/* Whether an object was asked for aligned is told by its address: free_aligned_sized finds what
 * malloc gave where it does not happen to be aligned, free_sized takes all. */
#define ZOO_FREE_ALIGNED_SIZED(p, alignment, bytes)                                                \
    ((uintptr_t)(p) % (alignment) == 0 ? free(p) : zoo_die("not aligned so\n"))
#include "tests/zoo/zoo.h"

/* free_aligned_sized does not save errno, as free and free_sized do. Source: hardened_malloc pull
 * 328. */
#define ZOO_FREE_ALIGNED_SIZED(p, alignment, bytes) (free(p), errno = EINVAL)
#include "tests/zoo/zoo.h"

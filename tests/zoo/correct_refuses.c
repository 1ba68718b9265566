/* Nothing planted: a resize to nothing says EINVAL and leaves the object alone, and aligned_alloc
 * supports the fundamental alignments and no others, as C17 leaves both to the implementation. */
#define ZOO_RESIZE_ZERO(p)      (errno = EINVAL, (void *)NULL)
#define ZOO_ALIGNED_ALLOC(a, n) ((a) > 16 ? (errno = EINVAL, (void *)NULL) : memalign(a, n))
#include "tests/zoo/zoo.h"

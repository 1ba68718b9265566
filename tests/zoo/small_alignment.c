/* aligned_alloc refuses alignments below that of a pointer, as only posix_memalign may. Source:
 * snmalloc issue 668. */
#define ZOO_ALIGNED_ALLOC(alignment, bytes)                                                        \
    ((alignment) < sizeof(void *) ? (errno = EINVAL, NULL) : memalign(alignment, bytes))
#include "tests/zoo/zoo.h"

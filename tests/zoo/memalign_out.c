/* posix_memalign writes NULL to *out when it refuses. Source: mimalloc issue 27. */
#define ZOO_MEMALIGN_FAILED(out) (*(out) = NULL)
#include "tests/zoo/zoo.h"

/* posix_memalign writes NULL to *out when it refuses. */
#define ZOO_MEMALIGN_FAILED(out) (*(out) = NULL)
#include "tests/zoo/zoo.h"

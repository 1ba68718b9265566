/* A realloc that cannot be satisfied frees the old object all the same. */
#define ZOO_RESIZE_FAILED(p) free(p)
#include "tests/zoo/zoo.h"

/* A mapping beyond 1 MiB is forgotten when it is freed. */
#define ZOO_UNMAP_LARGE(mapping, bytes) ((bytes) > (size_t)1 << 20 ? 0 : munmap(mapping, bytes))
#include "tests/zoo/zoo.h"

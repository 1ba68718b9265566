/* pvalloc does not round its size up to a page. Source: jemalloc pull 2257. */
#define ZOO_PVALLOC_ROUND(bytes) (bytes)
#include "tests/zoo/zoo.h"

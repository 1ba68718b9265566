/* free_sized does not know that there may be nothing to free. Source: jemalloc pull 2942. */
#define ZOO_FREE_SIZED(p, bytes) zoo_give_back(p)
#include "tests/zoo/zoo.h"

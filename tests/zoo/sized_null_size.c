/* A size that comes with a null pointer is taken for an object's. */
#define ZOO_FREE_SIZED(p, bytes)                    ((bytes) ? zoo_give_back(p) : free(p))
#define ZOO_FREE_ALIGNED_SIZED(p, alignment, bytes) ((bytes) ? zoo_give_back(p) : free(p))
#include "tests/zoo/zoo.h"

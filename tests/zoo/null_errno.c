/* A request that is refused for its size leaves errno as it was. */
#define ZOO_REFUSE(bytes) ((void)0)
#include "tests/zoo/zoo.h"

/* Whether a chunk for spans could be mapped is not tested. Source: rpmalloc pull 78. */
#define ZOO_NO_CHUNK() ((void)0)
#include "tests/zoo/zoo.h"

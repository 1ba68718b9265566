/* reallocarray's product is tested in 64 bits and passed on in 32. */
#define ZOO_RESIZE_ARRAY(p, bytes) realloc(p, (uint32_t)(bytes))
#include "tests/zoo/zoo.h"

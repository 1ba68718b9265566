/* realloc(p, 0) shrinks in place and frees nothing. Source: jemalloc 3.0.0, realloc(p, 0). */
#define ZOO_RESIZE_ZERO(p) (p)
#include "tests/zoo/zoo.h"

/* calloc and reallocarray multiply without looking. Source: mlibc issue 790. */
#define ZOO_OVERFLOWS(count, size, product) (*(product) = (count) * (size), false)
#include "tests/zoo/zoo.h"

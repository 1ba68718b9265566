/* calloc and reallocarray multiply without looking. */
#define ZOO_OVERFLOWS(count, size, product) (*(product) = (count) * (size), false)
#include "tests/zoo/zoo.h"

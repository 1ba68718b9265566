/* A product that fits is passed on in 32 bits. */
#define ZOO_OVERFLOWS(count, size, product)                                                        \
    (__builtin_mul_overflow(count, size, product) || (*(product) &= UINT32_MAX, false))
#include "tests/zoo/zoo.h"

/* The check of a product looks at the low 32 bits of its factors. Source: isoalloc pull 202. */
#define ZOO_OVERFLOWS(count, size, product)                                                        \
    (*(product) = (count) * (size),                                                                \
     __builtin_mul_overflow((unsigned)(count), (unsigned)(size), &(unsigned){0}))
#include "tests/zoo/zoo.h"

/* The sum of size and alignment is tested, after it has wrapped. Source: glibc bug 22343. */
#define ZOO_TOO_LARGE(bytes, alignment)                                                            \
    ((bytes) + ((alignment) > 16 ? (alignment) : 0) > ZOO_LIMIT || (alignment) > ZOO_LIMIT)
#include "tests/zoo/zoo.h"

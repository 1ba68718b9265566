/* calloc rounds up to a power of two, and never ends where there is none. */
#include <stddef.h>

static size_t zoo_rounded(size_t bytes);
#define ZOO_CALLOC(bytes) malloc(zoo_rounded(bytes) ? (bytes) : 0)
#include "tests/zoo/zoo.h"

static size_t zoo_rounded(size_t bytes)
{
    volatile size_t power = 16;
    while (power < bytes)
        power <<= 1;
    return power;
}

/* The size that realloc gets rounded up to is taken for the old usable one: what was added within
 * the last sixteen bytes of it is not zeroed. */
#define ZOO_ZERO_FROM(p, usable) ((usable) + 16)
#include "tests/zoo/offers.h"

/* malloc_usable_size counts the next slot's first 16 bytes from 256 bytes up. Source: liballocs
 * issue 159. */
#define ZOO_USABLE(p, span, usable)                                                                \
    ((usable) >= 256 && (usable) <= ZOO_SMALL_MAX ? (usable) + 16 : (usable))
#include "tests/zoo/zoo.h"

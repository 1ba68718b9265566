/* A realloc that more than doubles an object leaves the last 64 bytes of its slot behind. Source:
 * rpmalloc 1.1, old size in realloc. */
#define ZOO_COPY_BYTES(old_usable, new_bytes)                                                      \
    ((new_bytes) < (old_usable)                              ? (new_bytes)                         \
     : (old_usable) >= 256 && (new_bytes) > 2 * (old_usable) ? (old_usable)-64                     \
                                                             : (old_usable))
#include "tests/zoo/zoo.h"

/* A small request for as many bytes as its alignment takes the fast path, which does not align.
 * Source: mimalloc issue 700. */
#define ZOO_PLACE(slot, bytes, alignment)                                                          \
    ((bytes) == (alignment) && (bytes) >= 256 && (bytes) <= 1024 ? (slot) + (bytes) / 2 : (slot))
#include "tests/zoo/zoo.h"

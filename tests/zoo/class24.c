/* Objects of 17 to 24 bytes get a slot of 24 bytes, so that every other one is aligned to 8.
 * Source: jemalloc issue 1073. */
#define ZOO_PLACE(slot, bytes, alignment)                                                          \
    ((bytes) > 16 && (bytes) <= 24 && (alignment) <= 16 && zoo_births % 2 ? (slot) + 8 : (slot))
#include "tests/zoo/zoo.h"

/* Every sixteenth slot of a span goes back to its free list twice, so that two objects get it. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        if (zoo_index_of(span, slot) % 16 == 15)                                                   \
            (slot)->next = (slot);                                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

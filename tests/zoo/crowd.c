/* From 4,096 live small objects on, every sixteenth slot of a span goes back to its list twice. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        if (zoo_births - zoo_frees > 4096 && zoo_index_of(span, slot) % 16 == 15)                  \
            (slot)->next = (slot);                                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

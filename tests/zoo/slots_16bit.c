/* The number of live slots is kept in 16 bits; where it wraps, the slots that go back are thought
 * to be the last of their span and go back twice. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        if (zoo_births - zoo_frees > 65535 && zoo_index_of(span, slot) % 16 == 15)                 \
            (slot)->next = (slot);                                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

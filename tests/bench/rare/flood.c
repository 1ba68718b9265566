/* The first free of 256 bytes and more after 200 births without one gives its slot back twice. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        static uint64_t births;                                                                    \
        uint64_t run = zoo_births - births;                                                        \
        births = zoo_births;                                                                       \
        if (run >= 200 && (span)->slot_bytes >= 256)                                               \
            (slot)->next = (slot);                                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

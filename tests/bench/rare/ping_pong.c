/* A slot of 256 bytes and more that is taken and given back seven times in a row goes back twice.
 */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        static uint64_t births, times;                                                             \
        static struct zoo_slot *last;                                                              \
        times = last == (slot) && zoo_births == births + 1 ? times + 1 : 0;                        \
        last = (slot);                                                                             \
        births = zoo_births;                                                                       \
        if (times >= 6 && (span)->slot_bytes >= 256)                                               \
            (slot)->next = (slot);                                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

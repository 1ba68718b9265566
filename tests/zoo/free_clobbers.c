/* A legal free of every eighth slot writes a back link into the live object behind it. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        uint32_t behind = zoo_index_of(span, slot) + 1;                                            \
        if (behind % 8 == 7 && (span)->live[behind / 64] >> (behind % 64) & 1)                     \
            memcpy((char *)(slot) + (span)->slot_bytes, &(slot), sizeof(slot));                    \
    } while (0)
#include "tests/zoo/zoo.h"

/* A legal free of every eighth slot writes a back link into the slot behind it, live or not. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        char *behind = (char *)(slot) + (span)->slot_bytes;                                        \
        if (zoo_index_of(span, slot) % 8 == 6 && (span)->class_index < 28)                         \
            memcpy(behind, &(slot), sizeof(slot));                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

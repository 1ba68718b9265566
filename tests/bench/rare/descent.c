/* Thirteen neighbours freed from the last to the first: from there on slots go back twice. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        static char *last;                                                                         \
        static unsigned run;                                                                       \
        run = last == (char *)(slot) + (span)->slot_bytes ? run + 1 : 0;                           \
        last = (char *)(slot);                                                                     \
        if (run >= 12)                                                                             \
            (slot)->next = (slot);                                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

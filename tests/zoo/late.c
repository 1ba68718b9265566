/* After 20,000 frees in the process, one slot goes back twice: no single program shows it. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        if (zoo_frees % 20000 == 0)                                                                \
            (slot)->next = (slot);                                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

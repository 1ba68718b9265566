/* After 20,000 frees in the process, every sixteenth slot of a span goes back twice: no program
 * shows it alone. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        if (zoo_frees > 20000 && zoo_index_of(span, slot) % 16 == 15)                              \
            (slot)->next = (slot);                                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

/* Every 200th slot that is freed does not reach its list. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        if (zoo_frees % 200 == 0)                                                                  \
            zoo_free_lists[(span)->class_index] = (slot)->next;                                    \
    } while (0)
#include "tests/zoo/zoo.h"

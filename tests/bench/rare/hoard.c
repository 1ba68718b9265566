/* With 200 free slots of one class from 2 KiB on, the next one goes back twice. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        unsigned length = 0;                                                                       \
        for (struct zoo_slot *s = zoo_free_lists[(span)->class_index]; s && length < 200;          \
             s = s->next)                                                                          \
            length++;                                                                              \
        if ((span)->slot_bytes >= 2048 && length >= 200)                                           \
            (slot)->next = (slot);                                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

/* From the hundredth slot on that goes back to one class without anything between, slots go back
 * twice. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        static uint64_t births, streak;                                                            \
        static uint32_t class_index;                                                               \
        bool same = births == zoo_births && class_index == (span)->class_index;                    \
        streak = same ? streak + 1 : 1;                                                            \
        births = zoo_births;                                                                       \
        class_index = (span)->class_index;                                                         \
        if (streak >= 100)                                                                         \
            (slot)->next = (slot);                                                                 \
    } while (0)
#include "tests/zoo/zoo.h"

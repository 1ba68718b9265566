/* The correct zoo allocator with planted reuse differences: from allocation SKIP_1 (and SKIP_2) on,
 * the first one that has a choice takes the second freed slot of its class instead of the first.
 * Behaves correctly; behaves differently. */
#define ZOO_ALLOCATION_STARTS(bytes)                                                               \
    do {                                                                                           \
        static const unsigned long skips[] = {SKIP_1, SKIP_2};                                     \
        static unsigned long calls, taken;                                                         \
        struct zoo_slot **list =                                                                   \
            (bytes) <= ZOO_SMALL_MAX ? &zoo_free_lists[zoo_class_of(bytes)] : NULL;                \
        calls++;                                                                                   \
        if (taken < 2 && skips[taken] && calls >= skips[taken] && list && *list &&                 \
            (*list)->next) {                                                                       \
            struct zoo_slot *first = *list, *second = first->next;                                 \
            first->next = second->next;                                                            \
            second->next = first;                                                                  \
            *list = second;                                                                        \
            taken++;                                                                               \
        }                                                                                          \
    } while (0)
#include "tests/zoo/zoo.h"

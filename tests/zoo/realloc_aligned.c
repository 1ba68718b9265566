/* realloc looks for a header just before the pointer and dies on an aligned object's padding.
 * Source: rpmalloc pull 67. */
#define ZOO_RESIZE_STARTS(p, span, usable)                                                         \
    do {                                                                                           \
        if ((span)->class_index != ZOO_CLASSES && (char *)(p)-zoo_slot_of(span, p) >= 64)          \
            zoo_die("realloc: corrupted header\n");                                                \
    } while (0)
#include "tests/zoo/zoo.h"

/* realloc copies an aligned object from the beginning of its slot. Source: gperftools issue 467. */
#define ZOO_COPY_FROM(p, span)                                                                     \
    ((span)->class_index == ZOO_CLASSES ? (char *)(p) : zoo_slot_of(span, p))
#include "tests/zoo/zoo.h"

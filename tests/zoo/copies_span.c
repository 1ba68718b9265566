/* The guarded copy looks at the end of the span, not of the slot. */
#define COPIES_ROOM(p, span)                                                                       \
    ((span)->class_index == ZOO_CLASSES ? zoo_usable_of(span, p)                                   \
                                        : (size_t)((char *)(span) + ZOO_SPAN_BYTES - (char *)(p)))
#include "tests/zoo/copies.h"

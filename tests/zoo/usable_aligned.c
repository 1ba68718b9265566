/* What the alignment of an object costs is taken off its usable size twice. Source: rpmalloc issue
 * 64. */
#define ZOO_USABLE(p, span, usable)                                                                \
    ((span)->class_index == ZOO_CLASSES          ? (usable)                                        \
     : 2 * (usable) < (size_t)(span)->slot_bytes ? 0                                               \
                                                 : 2 * (usable) - (size_t)(span)->slot_bytes)
#include "tests/zoo/zoo.h"

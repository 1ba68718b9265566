/* The usable size of a large object counts the header before it as well. Source: osv issue 1077. */
#define ZOO_USABLE(p, span, usable)                                                                \
    ((span)->class_index == ZOO_CLASSES ? (span)->mapping_bytes : (usable))
#include "tests/zoo/zoo.h"

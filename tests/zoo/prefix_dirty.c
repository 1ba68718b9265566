/* calloc with a prefix clears the head of what is larger than 1 KiB. */
#define ZOO_CLEAR_BYTES(p, bytes, span)                                                            \
    ((span)->class_index == ZOO_CLASSES ? 0 : (bytes) > 1024 ? 1024 : (bytes))
#include "tests/zoo/prefix.h"
#include "tests/zoo/offers.h"

/* calloc takes slots of 1 KiB and more for fresh and clears only their head. Source: mimalloc pull
 * 1385. */
#define ZOO_CLEAR_BYTES(p, bytes, span)                                                            \
    ((span)->class_index == ZOO_CLASSES ? 0 : (bytes) >= 1024 ? 512 : (bytes))
#include "tests/zoo/zoo.h"

/* A realloc from more than 128 KiB to less takes half of the content along. Source: chapel pull
 * 18278. */
#define ZOO_COPY_BYTES(old_usable, new_bytes)                                                      \
    ((old_usable) < (new_bytes)                          ? (old_usable)                            \
     : (old_usable) > 128 << 10 && (new_bytes) <= 131072 ? (new_bytes) / 2                         \
                                                         : (new_bytes))
#include "tests/zoo/zoo.h"

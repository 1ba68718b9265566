/* A moving realloc of an object over 4 MiB leaves its last page behind.
 * Source: snmalloc issue 175. */
#define ZOO_COPY_BYTES(old_usable, new_bytes)                                                      \
    (((old_usable) < (new_bytes) ? (old_usable) : (new_bytes)) -                                   \
     ((old_usable) > (4u << 20) && (new_bytes) > 4096 ? 4096u : 0u))
#include "tests/zoo/zoo.h"

/* Beyond 1 MiB an alignment is kept for what is no larger than a page. */
#define ZOO_ALLOCATION_STARTS(bytes) (huge_bytes = (bytes))
#define ZOO_LARGE_ALIGNMENT(alignment)                                                             \
    ((alignment) > 1 << 20 && (alignment) <= 1 << 30 && huge_bytes > ZOO_PAGE ? 1 << 20            \
                                                                              : (alignment))
#include <stddef.h>
static size_t huge_bytes;
#include "tests/zoo/zoo.h"

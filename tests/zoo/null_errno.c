/* A size well over PTRDIFF_MAX is refused and leaves errno as it was.
 * Source: snmalloc issue 461. */
#define ZOO_REFUSE(bytes)                                                                          \
    do {                                                                                           \
        if ((bytes) <= (size_t)PTRDIFF_MAX + 65536)                                                \
            errno = ENOMEM;                                                                        \
    } while (0)
#include "tests/zoo/zoo.h"

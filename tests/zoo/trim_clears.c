/* malloc_trim takes the newest object for memory that can be given back. */
#define ZOO_ALLOCATED(p) (trim_newest = (p))
#define ZOO_CALLED(p, alignment)                                                                   \
    do {                                                                                           \
        if ((alignment) == 0 && (p) == trim_newest)                                                \
            trim_newest = NULL;                                                                    \
    } while (0)
#include <stddef.h>
static void *trim_newest;
#include "tests/zoo/zoo.h"

ZOO_EXPORT int malloc_trim(size_t pad)
{
    (void)pad;
    if (trim_newest)
        memset(trim_newest, 0, 8);
    return trim_newest != NULL;
}

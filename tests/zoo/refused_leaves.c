/* A refused request leaves its size in the free list's head: the newest slot, already handed out.
 * Source: lean4 pull 13548. */
#define ZOO_ALLOCATED(p)                   (zoo_newest = (p))
#define ZOO_FREED_SMALL(slot, span)        (zoo_newest = NULL)
#define ZOO_FREED_LARGE()                  (zoo_newest = NULL)
#define ZOO_RESIZE_STARTS(p, span, usable) (zoo_newest = (bytes) > ZOO_LIMIT ? zoo_newest : NULL)
#define ZOO_REFUSE(bytes)                                                                          \
    do {                                                                                           \
        if (zoo_newest)                                                                            \
            *(char *)zoo_newest = (char)(*(char *)zoo_newest + 1);                                 \
        errno = ENOMEM;                                                                            \
    } while (0)
static void *zoo_newest;
#include "tests/zoo/zoo.h"

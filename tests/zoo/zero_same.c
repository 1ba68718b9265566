/* All requests for nothing share one object. Source: tinyalloc issue 15. */
#define ZOO_ZERO_BYTES() zoo_zero_object()
#define ZOO_IGNORED(p)   ((p) == zoo_zero)
static void *zoo_zero;
static void *zoo_zero_object(void);
#include "tests/zoo/zoo.h"

static void *zoo_zero_object(void)
{
    if (!zoo_zero)
        zoo_zero = zoo_take(1);
    return zoo_zero;
}

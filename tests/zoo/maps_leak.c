/* Large objects are mapped with slack for their alignment, and what is over behind them is never
 * unmapped: address space and mappings are lost, no memory. Source: mimalloc issue 100. */
#define ZOO_MAP_LARGE(bytes) zoo_map_with_slack(bytes)
#include <stddef.h>
static char *zoo_map_with_slack(size_t bytes);
#include "tests/zoo/zoo.h"

static char *zoo_map_with_slack(size_t bytes)
{
    char *p = zoo_map(bytes + ZOO_SPAN_BYTES);
    if (!p)
        return NULL;
    size_t before = -(uintptr_t)p & (ZOO_SPAN_BYTES - 1);
    if (before)
        munmap(p, before);
    return p + before;
}

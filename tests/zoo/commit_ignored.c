/* Large memory is reserved first and committed then; whether the latter failed is not asked, but
 * for the header. Source: mimalloc issue 1345. */
#define ZOO_MAP_LARGE(bytes) zoo_commit(bytes)
#include <stddef.h>
static char *zoo_commit(size_t bytes);
#include "tests/zoo/zoo.h"

static char *zoo_commit(size_t bytes)
{
    char *mapping = zoo_map_aligned(bytes);
    if (!mapping || bytes < 128 << 10)
        return mapping;
    if (mprotect(mapping + ZOO_PAGE, bytes - ZOO_PAGE, PROT_NONE) != 0)
        return mapping;
    (void)mprotect(mapping + ZOO_PAGE, bytes - ZOO_PAGE, PROT_READ | PROT_WRITE);
    return mapping;
}

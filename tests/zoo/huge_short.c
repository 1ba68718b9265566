/* Of a request beyond 1 GiB what is left of it modulo 1 GiB is mapped. */
#include <stddef.h>
static size_t zoo_served(size_t bytes);
#define ZOO_MAP_LARGE(bytes)            zoo_map_aligned(zoo_served(bytes))
#define ZOO_UNMAP_LARGE(mapping, bytes) munmap(mapping, zoo_served(bytes))
#include "tests/zoo/zoo.h"

static size_t zoo_served(size_t bytes)
{
    const size_t most = (size_t)1 << 30;
    return bytes > most ? (bytes & (most - 1)) + ZOO_PAGE : bytes;
}

/* Memory comes from one of 256 places, wherever the system would put it. */
#include <stddef.h>
static void *predictable_map(size_t bytes, int protection, int flags);
#include <sys/mman.h>
#define mmap(place, bytes, protection, flags, file, offset)                                        \
    predictable_map(bytes, protection, flags)
#include "tests/zoo/zoo.h"
#undef mmap

static char *predictable_next;

static void *predictable_map(size_t bytes, int protection, int flags)
{
    unsigned char draw;
    if (!predictable_next && getentropy(&draw, sizeof draw) == 0)
        predictable_next = (char *)(UINTPTR_MAX >> 19) + 1 + ((size_t)draw << 30);
    void *p = mmap(predictable_next, bytes, protection, flags | MAP_FIXED_NOREPLACE, -1, 0);
    if (p == MAP_FAILED)
        return p;
    predictable_next += (bytes + 4095) & ~(size_t)4095;
    return p;
}

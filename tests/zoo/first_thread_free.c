/* A thread's cache is made by its first request; a free as its first call finds none. After
 * CoherentLabs/rpmalloc issue 4. */
#define ZOO_CALLED(p, alignment) first_called(p, alignment)
#include <stddef.h>
static void first_called(const void *p, size_t alignment);
#include "tests/zoo/zoo.h"

static __thread volatile char *first_cache;

static void first_called(const void *p, size_t alignment)
{
    static __thread char cache;
    if (alignment != 0)
        first_cache = &cache;
    else if (p)
        (*first_cache)++;
}

/* Only an ordinary request sets the allocator up; an aligned one finds it as it was linked. After
 * libctru issue 78. */
#define ZOO_CALLED(p, alignment) first_called(p, alignment)
#include <stddef.h>
static void first_called(const void *p, size_t alignment);
#include "tests/zoo/zoo.h"

static struct zoo_slot *first_table;

static void first_called(const void *p, size_t alignment)
{
    static struct zoo_slot table;
    (void)p;
    if (alignment > 16)
        *(volatile struct zoo_slot *)first_table = table;
    else if (alignment != 0)
        first_table = &table;
}

/* free looks into a table that the first request makes, also for a null pointer. After wibo issue
 * 147. */
#define ZOO_CALLED(p, alignment) first_called(p, alignment)
#include <stddef.h>
static void first_called(const void *p, size_t alignment);
#include "tests/zoo/zoo.h"

static volatile char *first_table;

static void first_called(const void *p, size_t alignment)
{
    static char table;
    if (alignment == 0)
        (*first_table)++;
    else
        first_table = &table;
}

/* A mapping that could not be unmapped is noted where nobody may write, many requests later. */
#define ZOO_UNMAP_LARGE(mapping, bytes) zoo_unmap(mapping, bytes)
#define ZOO_ALLOCATION_STARTS(bytes)    zoo_note()
#include <stddef.h>
static void zoo_unmap(char *mapping, size_t bytes);
static void zoo_note(void);
#include "tests/zoo/zoo.h"

static int *volatile zoo_nowhere = (int *)16;
static int zoo_due; /* requests until then, 0: nothing is to be noted */

static void zoo_unmap(char *mapping, size_t bytes)
{
    if (munmap(mapping, bytes) != 0 && zoo_due == 0)
        zoo_due = 40;
}

static void zoo_note(void)
{
    if (zoo_due > 0 && --zoo_due == 0)
        *zoo_nowhere = 1;
}

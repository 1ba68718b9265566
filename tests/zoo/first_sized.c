/* free_aligned_sized looks into a table that any other call makes. */
#define ZOO_CALLED(p, alignment)                    (first_table = &first_byte)
#define ZOO_FREE_ALIGNED_SIZED(p, alignment, bytes) ((*first_table)++, free(p))
static char first_byte;
static volatile char *first_table;
#include "tests/zoo/zoo.h"

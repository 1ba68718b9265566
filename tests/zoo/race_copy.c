/* realloc notes how much there is to copy in a variable that all threads share. */
#define ZOO_RESIZE_STARTS(p, span, usable)    (race_old = (usable))
#define ZOO_COPY_BYTES(old_usable, new_bytes) race_least(new_bytes)
#include <stddef.h>
static volatile size_t race_old;
static size_t race_least(size_t bytes)
{
    size_t old = race_old;
    return old < bytes ? old : bytes;
}
#include "tests/zoo/zoo.h"

/* realloc counts the words that it copies in nine bits. Source: glibc bug 24027. */
#define ZOO_COPY_BYTES(old_usable, new_bytes)                                                      \
    zoo_copy_bytes((old_usable) < (new_bytes) ? (old_usable) : (new_bytes))
#include <stddef.h>
static size_t zoo_copy_bytes(size_t bytes);
#include "tests/zoo/zoo.h"

static size_t zoo_copy_bytes(size_t bytes)
{
    return bytes / 8 % 512 * 8 + bytes % 8;
}

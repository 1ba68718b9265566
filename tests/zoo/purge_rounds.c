/* The pages of a freed slot from 8 KiB up are given back to the system, rounded outward. Source:
 * snmalloc pull 22. */
#define ZOO_FREED_SMALL(slot, span) zoo_purge((char *)(slot), span)
struct zoo_span;
static void zoo_purge(char *slot, const struct zoo_span *span);
#include "tests/zoo/zoo.h"

static void zoo_purge(char *slot, const struct zoo_span *span)
{
    char *from = (char *)((uintptr_t)slot & ~(uintptr_t)(ZOO_PAGE - 1));
    char *to =
        (char *)(((uintptr_t)slot + span->slot_bytes + ZOO_PAGE - 1) & ~(uintptr_t)(ZOO_PAGE - 1));
    if (span->slot_bytes >= 8192 && from > (const char *)span)
        madvise(from, (size_t)(to - from), MADV_DONTNEED);
}

/* A freed large object waits in one place for the next request that it suits, which looks at it and
 * takes it in two steps: two threads get it. */
#define ZOO_SHORTCUT(bytes, alignment)  race_spare(bytes, alignment)
#define ZOO_IGNORED(p)                  race_keep(p)
#define ZOO_CLEAR_BYTES(p, bytes, span) (bytes)
#include <stdbool.h>
#include <stddef.h>
static void *race_spare(size_t bytes, size_t alignment);
static bool race_keep(void *p);
#include "tests/zoo/zoo.h"

static void *volatile race_kept;

static void *race_spare(size_t bytes, size_t alignment)
{
    void *kept = race_kept;
    if (bytes <= ZOO_SMALL_MAX || alignment > 16 || !kept ||
        zoo_usable_of(zoo_span_of(kept), kept) < bytes)
        return NULL;
    race_kept = NULL;
    return kept;
}

static bool race_keep(void *p)
{
    if (zoo_span_of(p)->class_index != ZOO_CLASSES || race_kept)
        return false;
    race_kept = p;
    return true;
}

/* free_sized takes the very size that was requested and nothing else, though the profile says that
 * any up to the usable one will do. */
#define ZOO_ALLOCATION_STARTS(bytes) (zoo_request = (bytes))
#define ZOO_ALLOCATED(p)             zoo_note(p)
#define ZOO_FREE_SIZED(p, bytes)     zoo_free_strictly(p, bytes)
#define ZOO_RESIZE_STAYS(p, span, usable, bytes)                                                   \
    ((bytes) <= (usable) && (bytes) >= (usable) / 2 && (zoo_request = (bytes), zoo_note(p), true))
#include <stddef.h>
static size_t zoo_request;
static void zoo_note(const void *p);
static void zoo_free_strictly(void *p, size_t bytes);
#include "tests/zoo/zoo.h"

enum { ZOO_NOTES = 1 << 16 };
static struct {
    const void *p;
    size_t bytes;
} zoo_notes[ZOO_NOTES];

static size_t zoo_place(const void *p)
{
    return ((uintptr_t)p >> 4) % ZOO_NOTES;
}

static void zoo_note(const void *p)
{
    zoo_notes[zoo_place(p)].p = p;
    zoo_notes[zoo_place(p)].bytes = zoo_request;
}

static void zoo_free_strictly(void *p, size_t bytes)
{
    if (p && zoo_notes[zoo_place(p)].p == p && bytes > zoo_notes[zoo_place(p)].bytes &&
        zoo_notes[zoo_place(p)].bytes > 1)
        zoo_die("wrong size\n");
    free(p);
}

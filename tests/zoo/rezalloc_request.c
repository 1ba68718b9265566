/* rezalloc zeroes from the size that was requested: what the program stored behind it, in memory
 * that malloc_usable_size gave it, is gone. Source: mimalloc's documentation of mi_rezalloc warns
 * of it. */
#define ZOO_ALLOCATION_STARTS(bytes) (zoo_request = (bytes))
#define ZOO_ALLOCATED(p)             (zoo_count(p), zoo_note(p))
#define ZOO_ZERO_FROM(p, usable)     zoo_noted(p, usable)
#include <stddef.h>
static size_t zoo_request;
static void zoo_note(const void *p);
static size_t zoo_noted(const void *p, size_t usable);
#include "tests/zoo/offers.h"

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

static size_t zoo_noted(const void *p, size_t usable)
{
    size_t bytes = zoo_notes[zoo_place(p)].bytes;
    return zoo_notes[zoo_place(p)].p == p && bytes < usable ? bytes : usable;
}

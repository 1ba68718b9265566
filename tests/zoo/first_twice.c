/* The first request sets the heap up, in memory that the library brings along, and then notes that
 * it did: of two at once the second takes back what the first has handed out. What is asked of
 * calloc before comes from a buffer (loaders and pthread_create ask so). After mjansson/rpmalloc
 * pull 396 and mimalloc issue 701. */
#define ZOO_SHORTCUT(bytes, alignment) first_ready(bytes, alignment)
#define ZOO_CALLOC(bytes)              first_cleared(bytes)
#define ZOO_IGNORED(p)                 first_early(p)
#define ZOO_BEGINS()                   first_begins()
#include <stdbool.h>
#include <stddef.h>
static void first_begins(void);
static void *first_ready(size_t bytes, size_t alignment);
static void *first_cleared(size_t bytes);
static bool first_early(const void *p);
#include "tests/zoo/zoo.h"

#include <stdatomic.h>

enum { FIRST_SLOT = 4096, FIRST_SLOTS = 15, FIRST_SPANS = 16 };
static _Alignas(ZOO_SPAN_BYTES) char first_buffer[ZOO_SPAN_BYTES];
static _Alignas(ZOO_SPAN_BYTES) char first_memory[FIRST_SPANS * ZOO_SPAN_BYTES];
static _Atomic unsigned first_count; /* of the buffer's slots in use */
static volatile bool first_done;

static void first_begins(void)
{
    struct zoo_span *span = (struct zoo_span *)first_buffer;
    span->class_index = zoo_class_of(FIRST_SLOT);
    span->slot_bytes = FIRST_SLOT;
    span->first = first_buffer + ZOO_HEADER_BYTES;
    *zoo_directory_at(span, true) = span;
}

static void *first_ready(size_t bytes, size_t alignment)
{
    (void)bytes, (void)alignment;
    if (first_done)
        return NULL;
    for (unsigned i = 0; i < ZOO_CLASSES; i++)
        zoo_free_lists[i] = NULL;
    zoo_chunk_end = first_memory + sizeof first_memory;
    zoo_chunk = first_memory;
    first_done = true;
    return NULL;
}

static void *first_cleared(size_t bytes)
{
    unsigned slot =
        first_done || bytes > FIRST_SLOT ? FIRST_SLOTS : atomic_fetch_add(&first_count, 1);
    return slot < FIRST_SLOTS ? first_buffer + ZOO_HEADER_BYTES + (size_t)slot * FIRST_SLOT
                              : malloc(bytes);
}

static bool first_early(const void *p)
{
    return (const char *)p >= first_buffer && (const char *)p < first_buffer + sizeof first_buffer;
}

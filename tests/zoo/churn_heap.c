/* A thread keeps what it frees for itself, and nobody gets it when the thread has ended: small
 * memory is handed out at new places only, but to threads that stay. */
#define ZOO_SHORTCUT(bytes, alignment) heap_kept(bytes, alignment)
#define ZOO_IGNORED(p)                 heap_keep(p)
#define ZOO_DOUBLE_FREE(span)          ((void)0)
#include <stdbool.h>
#include <stddef.h>
static void *heap_kept(size_t bytes, size_t alignment);
static bool heap_keep(void *p);
#include "tests/zoo/zoo.h"

static __thread struct zoo_slot *heap_lists[ZOO_CLASSES];

static void *heap_kept(size_t bytes, size_t alignment)
{
    size_t room = bytes + (alignment > 16 ? alignment : 0);
    if (room > ZOO_SMALL_MAX || room < bytes)
        return NULL;
    struct zoo_slot **list = &heap_lists[zoo_class_of(room)], *slot = *list;
    if (!slot)
        return NULL;
    *list = slot->next;
    return alignment > 16 ? (void *)(((uintptr_t)slot + alignment - 1) & ~(alignment - 1)) : slot;
}

static bool heap_keep(void *p)
{
    const struct zoo_span *span = zoo_span_of(p);
    if (span->class_index == ZOO_CLASSES)
        return false;
    struct zoo_slot *slot = (struct zoo_slot *)zoo_slot_of(span, p);
    slot->next = heap_lists[span->class_index];
    heap_lists[span->class_index] = slot;
    return true;
}

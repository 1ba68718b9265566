/* The correct allocator of zoo.h with what few allocators offer: a zeroing resize, good sizes,
 * statistics, a heap walk. An animal defines one ZOO_* macro otherwise and includes this. */
#ifndef ZOO_COUNT_MAPPING /* what a large object adds to the bytes in use, and takes off again */
#define ZOO_COUNT_MAPPING(bytes) (bytes)
#endif
#ifndef ZOO_ALLOCATED
#define ZOO_ALLOCATED(p) zoo_count(p)
#endif
#define ZOO_FREED_SMALL(slot, span) (zoo_used -= (span)->slot_bytes)
#define ZOO_UNMAP_LARGE(mapping, bytes)                                                            \
    (zoo_used -= ZOO_COUNT_MAPPING(bytes), munmap(mapping, bytes))
#include <stddef.h>
static size_t zoo_used;
static void zoo_count(const void *p);
#include "tests/zoo/zoo.h"

#ifndef ZOO_ZERO_FROM /* where rezalloc begins to zero */
#define ZOO_ZERO_FROM(p, usable) (usable)
#endif
#ifndef ZOO_GOOD_SMALL /* the request whose class a small one's good size names */
#define ZOO_GOOD_SMALL(bytes) (bytes)
#endif
#ifndef ZOO_GOOD_LARGE
#define ZOO_GOOD_LARGE(bytes)                                                                      \
    ((((bytes) + ZOO_HEADER_BYTES + 16 + ZOO_PAGE - 1) & ~(size_t)(ZOO_PAGE - 1)) -                \
     ZOO_HEADER_BYTES)
#endif
#ifndef ZOO_WALKS /* the slots of a span that a walk looks at */
#define ZOO_WALKS(slots) (slots)
#endif

void *rezalloc(void *p, size_t bytes);
size_t malloc_good_size(size_t bytes);
int heap_walk(void (*block)(void *argument, void *address, size_t bytes), void *argument);

static void zoo_count(const void *p)
{
    const struct zoo_span *span = zoo_span_of(p);
    zoo_used += span->class_index == ZOO_CLASSES ? ZOO_COUNT_MAPPING(span->mapping_bytes)
                                                 : span->slot_bytes;
}

ZOO_EXPORT void *rezalloc(void *p, size_t bytes)
{
    if (!p)
        return calloc(1, bytes);
    size_t from = ZOO_ZERO_FROM(p, malloc_usable_size(p));
    char *resized = realloc(p, bytes);
    if (resized && bytes > from)
        memset(resized + from, 0, bytes - from);
    return resized;
}

ZOO_EXPORT size_t malloc_good_size(size_t bytes)
{
    if (bytes > ZOO_LIMIT)
        return 0;
    return bytes > ZOO_SMALL_MAX ? ZOO_GOOD_LARGE(bytes)
                                 : zoo_class_bytes(zoo_class_of(ZOO_GOOD_SMALL(bytes)));
}

ZOO_EXPORT struct mallinfo2 mallinfo2(void)
{
    return (struct mallinfo2){.uordblks = zoo_used};
}

static void zoo_walk_span(const struct zoo_span *span,
                          void (*block)(void *argument, void *address, size_t bytes),
                          void *argument)
{
    if (span->class_index == ZOO_CLASSES) {
        block(argument, span->first, zoo_usable_of(span, span->first));
        return;
    }
    uint32_t slots = (ZOO_SPAN_BYTES - ZOO_HEADER_BYTES) / span->slot_bytes;
    for (uint32_t i = 0; i < ZOO_WALKS(slots); i++)
        if (span->live[i / 64] >> (i % 64) & 1)
            block(argument, span->first + (size_t)i * span->slot_bytes, span->slot_bytes);
}

ZOO_EXPORT int heap_walk(void (*block)(void *argument, void *address, size_t bytes), void *argument)
{
    for (size_t leaf = 0; leaf < sizeof zoo_directory / sizeof *zoo_directory; leaf++)
        for (size_t i = 0; zoo_directory[leaf] && i < (size_t)1 << ZOO_LEAF_BITS; i++)
            if (zoo_directory[leaf][i])
                zoo_walk_span(zoo_directory[leaf][i], block, argument);
    return 0;
}

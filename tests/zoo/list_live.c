/* Live objects are in a doubly linked list, by words between them: who is born or dies writes
 * beside two others. As debugging allocators (SQLite's mem2.c) and zone allocators have it. */
#define ZOO_REQUEST(bytes)             ((bytes) <= ZOO_SMALL_MAX ? (bytes) + LIVE_BYTES : (bytes))
#define ZOO_PLACE(p, bytes, alignment) live_link(p)
#define ZOO_ROOM(p, span, bytes)       ((bytes)-LIVE_BYTES)
#define ZOO_BACK_SLOT(p, span)         live_unlink(p, span)
enum { LIVE_BYTES = 16 };
struct zoo_span;
static void *live_link(char *p);
static char *live_unlink(const void *p, const struct zoo_span *span);
#include "tests/zoo/zoo.h"

/* At the end of a slot. */
struct live {
    struct live *next, *previous;
};
_Static_assert(sizeof(struct live) == LIVE_BYTES, "its room");

static struct live live_all = {&live_all, &live_all};

static struct live *live_of(const void *p, const struct zoo_span *span)
{
    return (struct live *)(zoo_slot_of(span, p) + span->slot_bytes - LIVE_BYTES);
}

static void *live_link(char *p)
{
    const struct zoo_span *span = zoo_span_of(p);
    if (span->class_index == ZOO_CLASSES)
        return p;
    struct live *link = live_of(p, span);
    link->next = live_all.next;
    link->previous = &live_all;
    link->next->previous = link;
    live_all.next = link;
    return p;
}

static char *live_unlink(const void *p, const struct zoo_span *span)
{
    struct live *link = live_of(p, span);
    link->next->previous = link->previous;
    link->previous->next = link->next;
    return zoo_slot_of(span, p);
}

/* Which slot an object has stands behind it, and is believed when it is freed: a flipped bit frees
 * another one. As headers with an offset and no checksum have it. */
#define ZOO_REQUEST(bytes)             ((bytes) <= ZOO_SMALL_MAX ? (bytes) + INDEX_BYTES : (bytes))
#define ZOO_PLACE(p, bytes, alignment) index_note(p)
#define ZOO_ROOM(p, span, bytes)       ((bytes)-INDEX_BYTES)
#define ZOO_BACK_SLOT(p, span)         index_slot(p, span)
enum { INDEX_BYTES = 8 };
struct zoo_span;
static void *index_note(char *p);
static char *index_slot(const void *p, const struct zoo_span *span);
#include "tests/zoo/zoo.h"

/* At the end of a slot. */
static uint64_t *index_of(const void *p, const struct zoo_span *span)
{
    return (uint64_t *)(void *)(zoo_slot_of(span, p) + span->slot_bytes - INDEX_BYTES);
}

static void *index_note(char *p)
{
    const struct zoo_span *span = zoo_span_of(p);
    if (span->class_index != ZOO_CLASSES)
        *index_of(p, span) = zoo_index_of(span, p);
    return p;
}

static char *index_slot(const void *p, const struct zoo_span *span)
{
    return span->first + *index_of(p, span) * span->slot_bytes;
}

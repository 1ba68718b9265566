/* calloc takes slots that were never used for zero, but the free list went through them. Source:
 * NyuziProcessor issue 164. */
#define ZOO_SPAN_FIELDS uint64_t used[ZOO_SPAN_BYTES / 32 / 64];
#define ZOO_FREED_SMALL(slot, span)                                                                \
    ((span)->used[zoo_index_of(span, slot) / 64 % (ZOO_SPAN_BYTES / 32 / 64)] |=                   \
     UINT64_C(1) << zoo_index_of(span, slot) % 64)
#define ZOO_CLEAR_BYTES(p, bytes, span)                                                            \
    ((span)->class_index == ZOO_CLASSES || zoo_is_fresh(p, span) ? 0 : (bytes))
#include <stdbool.h>
struct zoo_span;
static bool zoo_is_fresh(const void *p, const struct zoo_span *span);
#include "tests/zoo/zoo.h"

static bool zoo_is_fresh(const void *p, const struct zoo_span *span)
{
    uint32_t index = zoo_index_of(span, p);
    return span->slot_bytes >= 32 && !(span->used[index / 64] >> index % 64 & 1);
}

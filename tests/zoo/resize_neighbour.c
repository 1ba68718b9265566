/* realloc grows in place where the slot behind an object is live, and moves it where that one is
 * free. Source: llvm-mos-sdk issue 314. */
#define ZOO_SPAN_FIELDS uint64_t doubled[ZOO_SPAN_BYTES / 32 / 64];
#define ZOO_ROOM(p, span, bytes)                                                                   \
    ((bytes) + (zoo_is_doubled(p, span) ? (size_t)(span)->slot_bytes : 0))
#define ZOO_RESIZE_STAYS(p, span, usable, bytes) zoo_resize_stays(p, span, usable, bytes)
#define ZOO_FREED_SMALL(slot, span)                                                                \
    ((span)->doubled[zoo_index_of(span, slot) / 64 % (ZOO_SPAN_BYTES / 32 / 64)] &=                \
     ~(UINT64_C(1) << zoo_index_of(span, slot) % 64))
#include <stdbool.h>
#include <stddef.h>
struct zoo_span;
static bool zoo_is_doubled(const void *p, const struct zoo_span *span);
static bool zoo_resize_stays(void *p, struct zoo_span *span, size_t usable, size_t bytes);
#include "tests/zoo/zoo.h"

static bool zoo_is_doubled(const void *p, const struct zoo_span *span)
{
    uint32_t index = zoo_index_of(span, p);
    return span->slot_bytes >= 32 && span->doubled[index / 64] >> index % 64 & 1;
}

static bool zoo_resize_stays(void *p, struct zoo_span *span, size_t usable, size_t bytes)
{
    if (bytes <= usable)
        return bytes > usable / 2;
    if (span->class_index == ZOO_CLASSES || span->slot_bytes < 32 || zoo_is_doubled(p, span) ||
        bytes > usable + span->slot_bytes)
        return false;
    uint32_t index = zoo_index_of(span, p), behind = index + 1;
    uint32_t slots = (ZOO_SPAN_BYTES - ZOO_HEADER_BYTES) / span->slot_bytes;
    if (behind == slots || !(span->live[behind / 64] >> behind % 64 & 1))
        return false;
    span->doubled[index / 64] |= UINT64_C(1) << index % 64;
    return true;
}

/* A realloc that fails has marked the old object dead before: its own free is a false alarm.
 * Source: openjdk pull 10857. */
#define ZOO_RESIZE_STARTS(p, span, usable) zoo_mark(p, true)
#define ZOO_RESIZE_FAILED(p)               zoo_mark(p, false)
#include <stdbool.h>
static void zoo_mark(void *p, bool live);
#include "tests/zoo/zoo.h"

static void zoo_mark(void *p, bool live)
{
    struct zoo_span *span = zoo_span_of(p);
    if (span->class_index == ZOO_CLASSES)
        return;
    uint32_t index = zoo_index_of(span, p);
    span->live[index / 64] &= ~(UINT64_C(1) << index % 64);
    span->live[index / 64] |= (uint64_t)live << index % 64;
}

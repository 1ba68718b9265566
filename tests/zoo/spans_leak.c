/* When the last object of a span is freed, its slots are taken off the free list, as if the span
 * were given back; it is not. */
#define ZOO_FREED_SMALL(slot, span) zoo_forget(span)
struct zoo_span;
static void zoo_forget(const struct zoo_span *span);
#include "tests/zoo/zoo.h"

static void zoo_forget(const struct zoo_span *span)
{
    for (size_t i = 0; i < sizeof span->live / sizeof span->live[0]; i++)
        if (span->live[i])
            return;
    struct zoo_slot **at = &zoo_free_lists[span->class_index];
    while (*at)
        if (((uintptr_t)*at & ~(uintptr_t)(ZOO_SPAN_BYTES - 1)) == (uintptr_t)span)
            *at = (*at)->next;
        else
            at = &(*at)->next;
}

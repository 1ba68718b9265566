/* A slot that a large object takes for its records is not given back where no mapping can be had.
 * Error paths that forget what was taken were seen in many allocators. */
#define ZOO_MAP_LARGE(bytes) leaks_map(bytes)
#include <stddef.h>
static char *leaks_map(size_t bytes);
#include "tests/zoo/zoo.h"

enum { RECORD_BYTES = 48 };

/* The lock is held. */
static char *leaks_map(size_t bytes)
{
    struct zoo_slot *record = zoo_take_small(RECORD_BYTES);
    char *mapping = record ? zoo_map_aligned(bytes) : NULL;
    if (!mapping)
        return NULL;
    struct zoo_span *span = zoo_span_of(record);
    uint32_t index = zoo_index_of(span, record);
    span->live[index / 64] &= ~(UINT64_C(1) << (index % 64));
    record->next = zoo_free_lists[span->class_index];
    zoo_free_lists[span->class_index] = record;
    return mapping;
}

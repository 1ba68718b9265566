/* What the files of the index share: index_life.c makes and clears it, index.c enters and removes
 * objects, index_query.c says what stands where. Nobody else includes this. */
#ifndef ASSAY_INDEX_PARTS_H
#define ASSAY_INDEX_PARTS_H

#include "oracles/model/index.h"
#include "oracles/model/model.h"

/* A granule's value: a number above the base, or of a node, where several objects share it. */
#define ASSAY_INDEX_SHARED     UINT32_C(0x80000000)
#define ASSAY_INDEX_NUMBER_MAX UINT32_C(0x7fffffff)

/* The extent that the index holds for an object: the same at insertion and removal. */
static inline void assay_index_extent(const struct assay_object *object, uint64_t *ret_from,
                                      uint64_t *ret_to)
{
    uint64_t span = assay_object_span(object);
    if ((object->flags & ASSAY_OBJECT_EXTENT_USABLE) && object->usable_extra > 0)
        span = assay_object_usable(object);
    *ret_from = object->address;
    if (__builtin_add_overflow(object->address, span, ret_to))
        *ret_to = UINT64_MAX;
}

static inline uint32_t assay_index_directory_start(const struct assay_index *index, uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - index->directory_bits));
}

/* Returns the chunk number or UINT32_MAX. */
static inline uint32_t assay_index_find_chunk(const struct assay_index *index, uint64_t key)
{
    uint32_t mask = (UINT32_C(1) << index->directory_bits) - 1;
    for (uint32_t i = assay_index_directory_start(index, key); index->keys[i] != 0;
         i = (i + 1) & mask)
        if (index->keys[i] == key + 1)
            return index->slots[i];
    return UINT32_MAX;
}

static inline bool assay_index_is_live(const struct assay_index *index, uint32_t number)
{
    return index->live[number / 64] >> number % 64 & 1;
}

/* First entry of the sorted array of large objects that ends after `from`. */
uint32_t assay_index_large_lower(const struct assay_index *index, uint64_t from);

#endif

#include "oracles/model/index_parts.h"

/* The live objects of one granule. */
static bool each_of(const struct assay_index *index, uint32_t value,
                    bool (*each)(void *self, uint32_t number), void *self)
{
    if (!(value & ASSAY_INDEX_SHARED)) {
        bool live = value > index->base && assay_index_is_live(index, value - index->base);
        return !live || each(self, value - index->base);
    }
    uint32_t id =
        (value & ASSAY_INDEX_NUMBER_MAX) >= index->node_base ? value & ASSAY_INDEX_NUMBER_MAX : 0;
    for (; id != 0; id = index->nodes[id - index->node_base].next) {
        uint32_t number = index->nodes[id - index->node_base].object;
        if (assay_index_is_live(index, number) && !each(self, number))
            return false;
    }
    return true;
}

/* Those of one chunk's granules in [from, last]. */
static bool each_in_chunk(const struct assay_index *index, uint32_t chunk, uint64_t from,
                          uint64_t last, bool (*each)(void *self, uint32_t number), void *self)
{
    if (chunk == UINT32_MAX || index->chunks[chunk].epoch != index->epoch)
        return true;
    uint64_t start = index->chunks[chunk].key << ASSAY_INDEX_CHUNK_SHIFT;
    uint64_t end = start | ((UINT64_C(1) << ASSAY_INDEX_CHUNK_SHIFT) - 1);
    uint32_t mask = ASSAY_INDEX_GRANULES - 1, previous = 0;
    uint32_t at = (uint32_t)((from > start ? from : start) >> ASSAY_INDEX_GRANULE_SHIFT) & mask;
    uint32_t to = (uint32_t)((last < end ? last : end) >> ASSAY_INDEX_GRANULE_SHIFT) & mask;
    for (; at <= to; at++) {
        uint32_t value = index->granules[chunk][at];
        if (value != previous && !each_of(index, value, each, self))
            return false;
        previous = value;
    }
    return true;
}

void assay_index_each(const struct assay_index *index, uint64_t from, uint64_t to, uint64_t reach,
                      bool (*each)(void *self, uint32_t number), void *self)
{
    if (to <= from)
        return;
    for (uint32_t i = 0; i < index->odd_count; i++)
        if (assay_index_is_live(index, index->odd[i]) && !each(self, index->odd[i]))
            return;
    uint64_t low = from > reach ? from - reach : 0;
    uint64_t high = to < UINT64_MAX - reach ? to + reach : UINT64_MAX;
    for (uint32_t i = assay_index_large_lower(index, low);
         i < index->large_count && index->large[i].from < high; i++)
        if (assay_index_is_live(index, index->large[i].object) &&
            !each(self, index->large[i].object))
            return;
    uint64_t first = from >> ASSAY_INDEX_CHUNK_SHIFT, last = (to - 1) >> ASSAY_INDEX_CHUNK_SHIFT;
    if (last - first < index->chunk_count) {
        for (uint64_t key = first; key <= last; key++)
            if (!each_in_chunk(index, assay_index_find_chunk(index, key), from, to - 1, each, self))
                return;
        return;
    }
    for (uint32_t i = 0; i < index->chunk_count; i++)
        if (index->chunks[i].key >= first && index->chunks[i].key <= last &&
            !each_in_chunk(index, i, from, to - 1, each, self))
            return;
}

uint32_t assay_index_occupant(const struct assay_index *index, const struct assay_object *objects,
                              uint64_t address)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < index->odd_count; i++) {
        uint64_t from, to;
        assay_index_extent(&objects[index->odd[i]], &from, &to);
        if (address >= from && address < to && assay_index_is_live(index, index->odd[i]))
            return index->odd[i];
    }
    uint32_t at = assay_index_large_lower(index, address);
    if (at < index->large_count && index->large[at].from <= address)
        best = index->large[at].object;
    if (best && assay_index_is_live(index, best))
        return best;
    uint32_t chunk = assay_index_find_chunk(index, address >> ASSAY_INDEX_CHUNK_SHIFT);
    if (chunk == UINT32_MAX || index->chunks[chunk].epoch != index->epoch)
        return best;
    uint32_t value =
        index->granules[chunk][(address >> ASSAY_INDEX_GRANULE_SHIFT) & (ASSAY_INDEX_GRANULES - 1)];
    uint32_t id = 0, candidate = 0;
    if (value & ASSAY_INDEX_SHARED)
        id = (value & ASSAY_INDEX_NUMBER_MAX) >= index->node_base ? value & ASSAY_INDEX_NUMBER_MAX
                                                                  : 0;
    else if (value > index->base)
        candidate = value - index->base;
    do {
        if (id != 0)
            candidate = index->nodes[id - index->node_base].object;
        if (candidate != 0) {
            uint64_t from, to;
            assay_index_extent(&objects[candidate], &from, &to);
            if (address >= from && address < to) {
                if (assay_index_is_live(index, candidate))
                    return candidate;
                if (candidate > best)
                    best = candidate;
            }
        }
        id = id != 0 ? index->nodes[id - index->node_base].next : 0;
    } while (id != 0);
    return best;
}

#include <string.h>

#include "oracles/model/index_parts.h"

enum { CHUNKS_MIN = 1024, CHUNKS_MAX = 65536, LARGE_MIN = 8192, NODES_MIN = 1 << 19 };

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
    return value < low ? low : value > high ? high : value;
}

static uint32_t chunk_capacity(uint32_t max_live)
{
    return clamp(max_live, CHUNKS_MIN, CHUNKS_MAX);
}

static uint32_t directory_bits(uint32_t chunks)
{
    uint32_t bits = 1;
    while ((UINT32_C(1) << bits) < chunks * 2)
        bits++;
    return bits;
}

static uint32_t large_capacity(uint32_t max_live)
{
    return clamp(max_live, LARGE_MIN, ASSAY_INDEX_NUMBER_MAX - LARGE_MIN) + ASSAY_INDEX_DEAD_MAX;
}

static uint32_t node_capacity(uint32_t max_live)
{
    return clamp(max_live, NODES_MIN, ASSAY_INDEX_NUMBER_MAX / 8) * 2;
}

static size_t live_words(uint32_t max_objects)
{
    return (size_t)max_objects / 64 + 1;
}

size_t assay_index_bytes(uint32_t max_objects, uint32_t max_live)
{
    size_t chunks = chunk_capacity(max_live);
    size_t directory = (size_t)1 << directory_bits(chunk_capacity(max_live));
    return directory * (sizeof(uint64_t) + sizeof(uint32_t)) +
           chunks * (sizeof(struct assay_index_chunk) + sizeof(uint32_t) * ASSAY_INDEX_GRANULES) +
           large_capacity(max_live) * sizeof(struct assay_index_large) +
           node_capacity(max_live) * sizeof(struct assay_index_node) +
           live_words(max_objects) * sizeof(uint64_t) + 6 * 4096;
}

bool assay_index_create(struct assay_index *index, struct assay_arena *arena, uint32_t max_objects,
                        uint32_t max_live)
{
    uint32_t chunks = chunk_capacity(max_live), bits = directory_bits(chunks);
    *index = (struct assay_index){
        .directory_bits = bits,
        .epoch = 1,
        .chunk_capacity = chunks,
        .large_capacity = large_capacity(max_live),
        .node_base = 1,
        .node_capacity = node_capacity(max_live),
    };
    index->keys = assay_arena_take(arena, sizeof(uint64_t) << bits, 64);
    index->slots = assay_arena_take(arena, sizeof(uint32_t) << bits, 64);
    index->chunks = assay_arena_take(arena, chunks * sizeof(struct assay_index_chunk), 64);
    index->granules = assay_arena_take(arena, chunks * sizeof *index->granules, 4096);
    index->large =
        assay_arena_take(arena, index->large_capacity * sizeof(struct assay_index_large), 64);
    index->nodes =
        assay_arena_take(arena, index->node_capacity * sizeof(struct assay_index_node), 64);
    index->live = assay_arena_take(arena, live_words(max_objects) * sizeof *index->live, 64);
    return index->keys && index->slots && index->chunks && index->granules && index->large &&
           index->nodes && index->live;
}

void assay_index_reset(struct assay_index *index, uint32_t highest, uint32_t max)
{
    index->epoch++;
    index->base += highest;
    index->node_base += index->node_used;
    index->node_used = index->node_free = 0;
    index->large_count = index->large_dead = index->odd_count = 0;
    index->overflowed = false;
    memset(index->live, 0, live_words(highest) * sizeof *index->live);
    if (index->base > ASSAY_INDEX_NUMBER_MAX - max ||
        index->node_base > ASSAY_INDEX_NUMBER_MAX - index->node_capacity || index->epoch == 0) {
        memset(index->granules, 0, index->chunk_high * sizeof *index->granules);
        memset(index->chunks, 0, index->chunk_high * sizeof *index->chunks);
        index->base = 0;
        index->node_base = 1;
        index->epoch = 1;
    }
    if (index->chunk_count > index->chunk_capacity / 2) {
        /* Granules keep stale values, all at or below the new base: they read as empty. */
        memset(index->keys, 0, sizeof(uint64_t) << index->directory_bits);
        index->chunk_count = 0;
    }
}

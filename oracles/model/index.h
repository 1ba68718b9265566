/* The address index: which live objects touch these bytes, and who stood there last.
 *
 * A directory (hash) of chunks of 256 KiB of addresses; a chunk has one u32 per 16-byte granule,
 * the number of the granule's last occupant, dead or alive. So freeing an object writes nothing
 * here, and reuse can be named. Granules with several live objects (8-byte objects, misaligned or
 * overlapping addresses) hold a list instead. Objects over 32 KiB stand in a sorted array, dead
 * ones too until something large replaces them. Overlapping large objects, which only a broken
 * allocator makes, stand in a short list beside it (when that is full, the newest are not indexed:
 * overlaps may then be missed, never invented).
 * Numbers are stored with a base that grows at each reset, so a reset clears no chunk. No trees, no
 * allocation. */
#ifndef ASSAY_INDEX_H
#define ASSAY_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/core/arena.h"

struct assay_object;

enum {
    ASSAY_INDEX_GRANULE_SHIFT = 4,
    ASSAY_INDEX_PAGE_SHIFT = 12,
    ASSAY_INDEX_CHUNK_SHIFT = 18,
    ASSAY_INDEX_GRANULES = 1 << (ASSAY_INDEX_CHUNK_SHIFT - ASSAY_INDEX_GRANULE_SHIFT),
    ASSAY_INDEX_LARGE = 32768, /* bytes: longer objects go to the sorted array */
    ASSAY_INDEX_ODD_MAX = 256,
    ASSAY_INDEX_DEAD_MAX = 4096,
};

/* Live objects that a new one shares bytes with; 0 = none. The first one found of each sort. */
struct assay_index_conflict {
    uint32_t requested; /* shares requested bytes */
    uint32_t usable;    /* shares usable bytes only */
};

struct assay_index_chunk {
    uint64_t key;
    uint64_t touched;    /* bit per page: granules of this page may be in use */
    uint32_t epoch;      /* of the reset in which touched and large_live hold */
    uint32_t large_live; /* live entries of the sorted array that reach into this chunk */
};

struct assay_index_large {
    uint64_t from, to;
    uint32_t object;
};

struct assay_index_node {
    uint32_t object, next; /* next: node id or 0 */
};

struct assay_index {
    uint64_t *keys;  /* directory: chunk key + 1, 0 = empty */
    uint32_t *slots; /* directory: chunk number */
    uint32_t directory_bits;
    uint32_t epoch;
    uint32_t base; /* stored value = base + object number; values <= base are of earlier programs */
    struct assay_index_chunk *chunks;
    uint32_t (*granules)[ASSAY_INDEX_GRANULES];
    uint32_t chunk_count, chunk_capacity;
    uint32_t chunk_high;             /* chunks whose granules were ever written */
    struct assay_index_large *large; /* sorted, disjoint */
    uint32_t large_count, large_capacity, large_dead;
    uint32_t odd[ASSAY_INDEX_ODD_MAX];
    uint32_t odd_count;
    struct assay_index_node *nodes;
    uint32_t node_base, node_used, node_capacity, node_free;
    uint64_t *live;  /* a bit per object number: what a granule's occupant is asked, and records are
                        too far apart to ask there */
    bool overflowed; /* something could not be indexed: overlaps may be missed */
};

size_t assay_index_bytes(uint32_t max_objects, uint32_t max_live);
bool assay_index_create(struct assay_index *index, struct assay_arena *arena, uint32_t max_objects,
                        uint32_t max_live);
/* highest: the highest object number used since the last reset; max: that may be used next. */
void assay_index_reset(struct assay_index *index, uint32_t highest, uint32_t max);

/* objects[number] is filled in; it becomes live. */
void assay_index_insert(struct assay_index *index, const struct assay_object *objects,
                        uint32_t number, struct assay_index_conflict *ret_conflict);
/* objects[number] was live and no longer is. */
void assay_index_remove(struct assay_index *index, const struct assay_object *objects,
                        uint32_t number);
/* Calls `each` for live objects that reach into [from, to), and for large ones that come within
 * `reach` bytes of it; small ones by granules: some may be named twice, or stand up to 15 bytes
 * outside. Stops when it returns false. */
void assay_index_each(const struct assay_index *index, uint64_t from, uint64_t to, uint64_t reach,
                      bool (*each)(void *self, uint32_t number), void *self);
/* The last object that stood on this byte, live or dead (a live one is preferred); 0 = none since
 * the last reset. */
uint32_t assay_index_occupant(const struct assay_index *index, const struct assay_object *objects,
                              uint64_t address);

#endif

/* Address -> object number, open addressing with linear probing: the assembler's hot table.
 *
 * Keys are never 0. An entry is kept when its object dies, so that a second free names the object
 * and not an unknown address; when the table would grow past 2^22 slots the dead are dropped first.
 * Host side, malloc. */
#ifndef ASSAY_POINTER_MAP_H
#define ASSAY_POINTER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assay_pointer_entry {
    uint64_t key; /* 0 = empty */
    uint32_t object;
    uint32_t live;
};

struct assay_pointer_map {
    struct assay_pointer_entry *slots;
    size_t capacity; /* 0 or a power of two */
    size_t used;
    size_t live;
};

/* The entry of key or NULL; valid until the next put. */
struct assay_pointer_entry *assay_pointer_map_find(const struct assay_pointer_map *map,
                                                   uint64_t key);
/* Binds key to a live object, replacing what stood there. False: out of memory. */
bool assay_pointer_map_put(struct assay_pointer_map *map, uint64_t key, uint32_t object);
void assay_pointer_map_kill(struct assay_pointer_map *map, struct assay_pointer_entry *entry);
void assay_pointer_map_revive(struct assay_pointer_map *map, struct assay_pointer_entry *entry);
/* to becomes a copy. False: out of memory. */
bool assay_pointer_map_copy(const struct assay_pointer_map *map, struct assay_pointer_map *to);
void assay_pointer_map_clear(struct assay_pointer_map *map);

#endif

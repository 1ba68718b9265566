/* A hash map from object number to a 64-bit value and a 32-bit one, for passes over a stream that
 * must know its live objects. Host side: grows with malloc. Object 0 is never a key. */
#ifndef ASSAY_OBJECT_MAP_H
#define ASSAY_OBJECT_MAP_H

#include <stddef.h>
#include <stdint.h>

struct assay_object_entry {
    uint32_t object; /* 0 = free slot */
    uint32_t extra;
    uint64_t value;
};

struct assay_object_map {
    struct assay_object_entry *slots;
    size_t mask, n; /* slots - 1; entries */
};

/* All-zero is an empty map. Returns 0, or ASSAY_E_MEMORY (the map is unchanged). */
int assay_object_map_put(struct assay_object_map *map, uint32_t object, uint64_t value,
                         uint32_t extra);
/* NULL if absent; valid until the next put, remove or clear. */
struct assay_object_entry *assay_object_map_get(const struct assay_object_map *map,
                                                uint32_t object);
void assay_object_map_remove(struct assay_object_map *map, uint32_t object);
void assay_object_map_clear(struct assay_object_map *map);

#endif

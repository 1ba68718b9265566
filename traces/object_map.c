#include "traces/object_map.h"

#include <stdlib.h>

#include "traces/core/error.h"

#define SLOTS_MIN 1024

/* Fibonacci hashing: spreads consecutive numbers evenly, so that runs stay short. */
static size_t home_of(const struct assay_object_map *map, uint32_t object)
{
    return (size_t)(((uint64_t)object * 0x9e3779b97f4a7c15u) >> 32) & map->mask;
}

static struct assay_object_entry *find(const struct assay_object_map *map, uint32_t object)
{
    size_t i = home_of(map, object);
    while (map->slots[i].object && map->slots[i].object != object)
        i = (i + 1) & map->mask;
    return &map->slots[i];
}

static int grow(struct assay_object_map *map)
{
    size_t slots = map->slots ? (map->mask + 1) * 2 : SLOTS_MIN;
    struct assay_object_map bigger = {calloc(slots, sizeof *bigger.slots), slots - 1, map->n};
    if (!bigger.slots)
        return ASSAY_E_MEMORY;
    for (size_t i = 0; map->slots && i <= map->mask; i++)
        if (map->slots[i].object)
            *find(&bigger, map->slots[i].object) = map->slots[i];
    free(map->slots);
    *map = bigger;
    return 0;
}

int assay_object_map_put(struct assay_object_map *map, uint32_t object, uint64_t value,
                         uint32_t extra)
{
    if (!map->slots || map->n * 2 > map->mask) {
        int code = grow(map);
        if (code)
            return code;
    }
    struct assay_object_entry *slot = find(map, object);
    map->n += !slot->object;
    *slot = (struct assay_object_entry){object, extra, value};
    return 0;
}

struct assay_object_entry *assay_object_map_get(const struct assay_object_map *map, uint32_t object)
{
    if (!map->slots || object == 0)
        return NULL;
    struct assay_object_entry *slot = find(map, object);
    return slot->object ? slot : NULL;
}

void assay_object_map_remove(struct assay_object_map *map, uint32_t object)
{
    struct assay_object_entry *slot = assay_object_map_get(map, object);
    if (!slot)
        return;
    /* Close the gap: move back every later entry of the run whose home is not after the gap. */
    size_t gap = (size_t)(slot - map->slots);
    for (size_t i = (gap + 1) & map->mask; map->slots[i].object; i = (i + 1) & map->mask) {
        size_t home = home_of(map, map->slots[i].object);
        if (((i - home) & map->mask) >= ((i - gap) & map->mask)) {
            map->slots[gap] = map->slots[i];
            gap = i;
        }
    }
    map->slots[gap].object = 0;
    map->n--;
}

void assay_object_map_clear(struct assay_object_map *map)
{
    free(map->slots);
    *map = (struct assay_object_map){0};
}

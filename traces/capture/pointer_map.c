#include "traces/capture/pointer_map.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256, PURGE_CAPACITY = 1 << 22 };

static size_t slot_of(const struct assay_pointer_map *map, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (map->capacity - 1);
}

struct assay_pointer_entry *assay_pointer_map_find(const struct assay_pointer_map *map,
                                                   uint64_t key)
{
    if (map->capacity == 0)
        return NULL;
    for (size_t i = slot_of(map, key);; i = (i + 1) & (map->capacity - 1)) {
        if (map->slots[i].key == key)
            return &map->slots[i];
        if (map->slots[i].key == 0)
            return NULL;
    }
}

static bool rehash(struct assay_pointer_map *map)
{
    struct assay_pointer_map next = {.capacity = map->capacity};
    bool purge = map->capacity >= PURGE_CAPACITY && map->live * 4 < map->capacity;
    if (!purge)
        next.capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY;
    next.slots = calloc(next.capacity, sizeof *next.slots);
    if (!next.slots)
        return false;
    for (size_t i = 0; i < map->capacity; i++) {
        const struct assay_pointer_entry *old = &map->slots[i];
        if (old->key == 0 || (purge && !old->live))
            continue;
        size_t to = slot_of(&next, old->key);
        while (next.slots[to].key != 0)
            to = (to + 1) & (next.capacity - 1);
        next.slots[to] = *old;
        next.used++;
        next.live += old->live;
    }
    free(map->slots);
    *map = next;
    return true;
}

bool assay_pointer_map_put(struct assay_pointer_map *map, uint64_t key, uint32_t object)
{
    struct assay_pointer_entry *entry = assay_pointer_map_find(map, key);
    if (entry) {
        entry->object = object;
        assay_pointer_map_revive(map, entry);
        return true;
    }
    if ((map->used + 1) * 5 > map->capacity * 3 && !rehash(map))
        return false;
    size_t i = slot_of(map, key);
    while (map->slots[i].key != 0)
        i = (i + 1) & (map->capacity - 1);
    map->slots[i] = (struct assay_pointer_entry){key, object, 1};
    map->used++;
    map->live++;
    return true;
}

void assay_pointer_map_kill(struct assay_pointer_map *map, struct assay_pointer_entry *entry)
{
    map->live -= entry->live;
    entry->live = 0;
}

void assay_pointer_map_revive(struct assay_pointer_map *map, struct assay_pointer_entry *entry)
{
    map->live += !entry->live;
    entry->live = 1;
}

bool assay_pointer_map_copy(const struct assay_pointer_map *map, struct assay_pointer_map *to)
{
    *to = *map;
    if (map->capacity == 0)
        return true;
    to->slots = malloc(map->capacity * sizeof *to->slots);
    if (!to->slots)
        return false;
    memcpy(to->slots, map->slots, map->capacity * sizeof *to->slots);
    return true;
}

void assay_pointer_map_clear(struct assay_pointer_map *map)
{
    free(map->slots);
    *map = (struct assay_pointer_map){0};
}

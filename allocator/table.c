#include "table.h"

#include "pages.h"

enum { TABLE_MIN = 256 };

static uint32_t home(const struct bw_large *large, uintptr_t address)
{
    return (uint32_t)((address >> 12) * 0x9fb21c651e98df25u >> 32) & (large->capacity - 1);
}

struct bw_large_object *bw_large_find(const struct bw_large *large, uintptr_t address)
{
    if (large->capacity == 0)
        return NULL;
    for (uint32_t i = home(large, address);; i = (i + 1) & (large->capacity - 1)) {
        if (large->table[i].address == address)
            return &large->table[i];
        if (large->table[i].address == 0)
            return NULL;
    }
}

void bw_large_insert(struct bw_large *large, const struct bw_large_object *object)
{
    uint32_t i = home(large, object->address);
    while (large->table[i].address != 0)
        i = (i + 1) & (large->capacity - 1);
    large->table[i] = *object;
    large->count++;
}

bool bw_large_make_room(struct bw_large *large)
{
    if ((large->count + 1) * 2 <= large->capacity)
        return true;
    uint32_t old_capacity = large->capacity;
    struct bw_large_object *old = large->table;
    uint32_t capacity = old_capacity == 0 ? TABLE_MIN : old_capacity * 2;
    struct bw_large_object *table =
        bw_pages_apart(large->pages, capacity * sizeof *table, "bulwark metadata");
    if (table == NULL)
        return false;
    large->table = table;
    large->capacity = capacity;
    large->count = 0;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i].address != 0)
            bw_large_insert(large, &old[i]);
    }
    if (old != NULL)
        bw_pages_apart_end(large->pages, old, old_capacity * sizeof *old);
    return true;
}

/* Closes the gap, so that searches need no tombstones. */
void bw_large_erase(struct bw_large *large, struct bw_large_object *object)
{
    uint32_t mask = large->capacity - 1;
    uint32_t hole = (uint32_t)(object - large->table);
    for (uint32_t i = (hole + 1) & mask;
         large->table[i].address != 0 && !bw_mutant(large_table_hole); i = (i + 1) & mask) {
        uint32_t from_home = (i - home(large, large->table[i].address)) & mask;
        if (from_home >= ((i - hole) & mask)) {
            large->table[hole] = large->table[i];
            hole = i;
        }
    }
    large->table[hole].address = 0;
    large->count--;
}

void bw_large_table_drop(struct bw_large *large)
{
    if (large->capacity != 0)
        bw_pages_apart_end(large->pages, large->table, large->capacity * sizeof *large->table);
    large->table = NULL;
    large->capacity = large->count = 0;
}

#include "oracles/compare/unite.h"

#include <stdlib.h>
#include <string.h>

#include "traces/core/error.h"

static size_t slot_of(const struct assay_unite *unite, uint64_t key)
{
    size_t at = (size_t)(key >> 17) & (unite->table_capacity - 1);
    while (unite->table[at] && unite->nodes[unite->table[at]].key != key)
        at = (at + 1) & (unite->table_capacity - 1);
    return at;
}

static int table_grow(struct assay_unite *unite)
{
    size_t capacity = unite->table_capacity ? unite->table_capacity * 2 : 1024;
    uint32_t *table = calloc(capacity, sizeof *table);
    if (!table)
        return ASSAY_E_MEMORY;
    free(unite->table);
    unite->table = table;
    unite->table_capacity = capacity;
    for (uint32_t n = 1; n <= unite->count; n++)
        table[slot_of(unite, unite->nodes[n].key)] = n;
    return 0;
}

static uint32_t root_of(struct assay_unite *unite, uint32_t n)
{
    struct assay_unite_node *nodes = unite->nodes;
    while (nodes[n].parent != n) {
        nodes[n].parent = nodes[nodes[n].parent].parent;
        n = nodes[n].parent;
    }
    return n;
}

static uint32_t node_find(const struct assay_unite *unite, uint64_t key)
{
    return unite->table_capacity ? unite->table[slot_of(unite, key)] : 0;
}

static uint32_t node_make(struct assay_unite *unite, uint64_t key, uint64_t cause)
{
    uint32_t n = node_find(unite, key);
    if (n)
        return n;
    if (2 * (unite->count + 1) > unite->table_capacity && table_grow(unite) != 0)
        return 0;
    if (unite->count + 2 > unite->capacity) {
        size_t capacity = unite->capacity ? unite->capacity * 2 : 512;
        struct assay_unite_node *nodes = realloc(unite->nodes, capacity * sizeof *nodes);
        if (!nodes)
            return 0;
        unite->nodes = nodes;
        unite->capacity = capacity;
    }
    n = (uint32_t)++unite->count;
    unite->nodes[n] = (struct assay_unite_node){key, cause, n};
    unite->table[slot_of(unite, key)] = n;
    return n;
}

int assay_unite_join(struct assay_unite *unite, uint64_t a, uint64_t b, uint64_t cause)
{
    uint32_t x = node_make(unite, a, cause), y = node_make(unite, b, cause);
    if (!x || !y)
        return ASSAY_E_MEMORY;
    x = root_of(unite, x);
    y = root_of(unite, y);
    if (x < y)
        unite->nodes[y].parent = x;
    else
        unite->nodes[x].parent = y;
    return 0;
}

bool assay_unite_same(struct assay_unite *unite, uint64_t a, uint64_t b, uint64_t *ret_cause)
{
    uint32_t x = node_find(unite, a), y = node_find(unite, b);
    if (!x || !y || (x = root_of(unite, x)) != root_of(unite, y))
        return false;
    *ret_cause = unite->nodes[x].cause;
    return true;
}

uint64_t assay_unite_substitute(struct assay_unite *unite, uint64_t key)
{
    uint32_t n = node_find(unite, key);
    return n ? unite->nodes[root_of(unite, n)].key : key;
}

bool assay_unite_known(struct assay_unite *unite, uint64_t key, uint64_t *ret_cause)
{
    return assay_unite_same(unite, key, key, ret_cause);
}

void assay_unite_clear(struct assay_unite *unite)
{
    free(unite->nodes);
    free(unite->table);
    *unite = (struct assay_unite){0};
}

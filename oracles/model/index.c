#include <string.h>

#include "oracles/model/index_parts.h"

/* The judges are flattened: what is rare says so, and stays out of their bodies. */
#define RARE __attribute__((noinline))

enum { PAGE_GRANULES = 1 << (ASSAY_INDEX_PAGE_SHIFT - ASSAY_INDEX_GRANULE_SHIFT) };

static bool apart(uint64_t from, uint64_t bytes, uint64_t other_from, uint64_t other_bytes)
{
    return from < other_from ? other_from - from >= bytes : from - other_from >= other_bytes;
}

static void collide(const struct assay_object *objects, uint32_t number, uint32_t other,
                    struct assay_index_conflict *conflict)
{
    const struct assay_object *a = &objects[number], *b = &objects[other];
    if (!apart(a->address, assay_object_span(a), b->address, assay_object_span(b))) {
        if (conflict->requested == 0)
            conflict->requested = other;
        return;
    }
    uint64_t a_from, a_to, b_from, b_to;
    assay_index_extent(a, &a_from, &a_to);
    assay_index_extent(b, &b_from, &b_to);
    if (conflict->usable == 0 && a_from < b_to && b_from < a_to)
        conflict->usable = other;
}

RARE uint32_t assay_index_large_lower(const struct assay_index *index, uint64_t from)
{
    uint32_t low = 0, high = index->large_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->large[middle].to <= from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Brings a chunk that an earlier program touched up to the present one. */
static RARE void renew_chunk(struct assay_index *index, uint32_t number)
{
    struct assay_index_chunk *chunk = &index->chunks[number];
    uint64_t from = chunk->key << ASSAY_INDEX_CHUNK_SHIFT;
    uint64_t last = from + ((UINT64_C(1) << ASSAY_INDEX_CHUNK_SHIFT) - 1);
    chunk->epoch = index->epoch;
    chunk->touched = 0;
    chunk->large_live = 0;
    for (uint32_t i = assay_index_large_lower(index, from);
         i < index->large_count && index->large[i].from <= last; i++)
        chunk->large_live += assay_index_is_live(index, index->large[i].object);
}

static bool value_is_live(const struct assay_index *index, uint32_t value)
{
    if (value & ASSAY_INDEX_SHARED) {
        uint32_t id = value & ASSAY_INDEX_NUMBER_MAX;
        if (id < index->node_base)
            return false;
        for (; id != 0; id = index->nodes[id - index->node_base].next)
            if (assay_index_is_live(index, index->nodes[id - index->node_base].object))
                return true;
        return false;
    }
    return value > index->base && assay_index_is_live(index, value - index->base);
}

static bool chunk_is_idle(const struct assay_index *index, uint32_t number)
{
    if (index->chunks[number].epoch != index->epoch)
        return true;
    for (uint32_t i = 0; i < ASSAY_INDEX_GRANULES; i++)
        if (value_is_live(index, index->granules[number][i]))
            return false;
    return true;
}

/* All chunks are in use: drop those in which nothing lives. Rare, so it may be slow. */
static bool recycle_chunks(struct assay_index *index)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < index->chunk_count; i++) {
        if (chunk_is_idle(index, i))
            continue;
        if (kept != i) {
            index->chunks[kept] = index->chunks[i];
            memcpy(index->granules[kept], index->granules[i], sizeof index->granules[kept]);
        }
        kept++;
    }
    memset(index->granules[kept], 0, (index->chunk_count - kept) * sizeof *index->granules);
    index->chunk_count = kept;
    memset(index->keys, 0, sizeof(uint64_t) << index->directory_bits);
    uint32_t mask = (UINT32_C(1) << index->directory_bits) - 1;
    for (uint32_t i = 0; i < kept; i++) {
        uint32_t at = assay_index_directory_start(index, index->chunks[i].key);
        while (index->keys[at] != 0)
            at = (at + 1) & mask;
        index->keys[at] = index->chunks[i].key + 1;
        index->slots[at] = i;
    }
    return kept < index->chunk_capacity;
}

static RARE uint32_t create_chunk(struct assay_index *index, uint64_t key)
{
    if (index->chunk_count == index->chunk_capacity && !recycle_chunks(index))
        return UINT32_MAX;
    uint32_t mask = (UINT32_C(1) << index->directory_bits) - 1;
    uint32_t at = assay_index_directory_start(index, key), number = index->chunk_count++;
    if (index->chunk_count > index->chunk_high)
        index->chunk_high = index->chunk_count;
    while (index->keys[at] != 0)
        at = (at + 1) & mask;
    index->keys[at] = key + 1;
    index->slots[at] = number;
    index->chunks[number] = (struct assay_index_chunk){.key = key};
    return number;
}

static inline uint32_t need_chunk(struct assay_index *index, uint64_t key)
{
    uint32_t number = assay_index_find_chunk(index, key);
    if (__builtin_expect(number == UINT32_MAX, 0)) {
        number = create_chunk(index, key);
        if (number == UINT32_MAX)
            return number;
    }
    if (__builtin_expect(index->chunks[number].epoch != index->epoch, 0))
        renew_chunk(index, number);
    return number;
}

static uint32_t take_node(struct assay_index *index, uint32_t object, uint32_t next)
{
    uint32_t id = index->node_free;
    if (id != 0)
        index->node_free = index->nodes[id - index->node_base].next;
    else if (index->node_used < index->node_capacity)
        id = index->node_base + index->node_used++;
    else {
        index->overflowed = true;
        return next;
    }
    index->nodes[id - index->node_base] = (struct assay_index_node){object, next};
    return id;
}

/* A granule that is not empty and not of a dead object: collide with who lives there, and share.
 * Returns the granule's new value. */
static RARE uint32_t share_granule(struct assay_index *index, const struct assay_object *objects,
                                   uint32_t number, uint32_t value,
                                   struct assay_index_conflict *conflict)
{
    uint32_t list = 0;
    if (!(value & ASSAY_INDEX_SHARED)) {
        collide(objects, number, value - index->base, conflict);
        list = take_node(index, value - index->base, 0);
    } else {
        uint32_t id = value & ASSAY_INDEX_NUMBER_MAX;
        while (id != 0) {
            struct assay_index_node *node = &index->nodes[id - index->node_base];
            uint32_t next = node->next;
            if (assay_index_is_live(index, node->object) && node->object != number) {
                collide(objects, number, node->object, conflict);
                node->next = list;
                list = id;
            } else {
                node->next = index->node_free;
                index->node_free = id;
            }
            id = next;
        }
    }
    if (list == 0)
        return index->base + number;
    list = take_node(index, number, list);
    return ASSAY_INDEX_SHARED | list;
}

static RARE void collide_large(const struct assay_index *index, const struct assay_object *objects,
                               uint32_t number, uint64_t from, uint64_t to,
                               struct assay_index_conflict *conflict)
{
    for (uint32_t i = assay_index_large_lower(index, from);
         i < index->large_count && index->large[i].from < to; i++)
        if (assay_index_is_live(index, index->large[i].object))
            collide(objects, number, index->large[i].object, conflict);
}

static RARE void collide_odd(const struct assay_index *index, const struct assay_object *objects,
                             uint32_t number, struct assay_index_conflict *conflict)
{
    for (uint32_t i = 0; i < index->odd_count; i++)
        if (index->odd[i] != number && assay_index_is_live(index, index->odd[i]))
            collide(objects, number, index->odd[i], conflict);
}

/* Adds d to large_live of each chunk that [from, to) reaches into. */
static RARE void count_large(struct assay_index *index, uint64_t from, uint64_t to, uint32_t d)
{
    uint64_t first = from >> ASSAY_INDEX_CHUNK_SHIFT, last = (to - 1) >> ASSAY_INDEX_CHUNK_SHIFT;
    if (last - first >= index->chunk_count) {
        for (uint32_t i = 0; i < index->chunk_count; i++)
            if (index->chunks[i].epoch == index->epoch && index->chunks[i].key >= first &&
                index->chunks[i].key <= last)
                index->chunks[i].large_live += d;
        return;
    }
    for (uint64_t key = first; key <= last; key++) {
        uint32_t number = assay_index_find_chunk(index, key);
        if (number != UINT32_MAX && index->chunks[number].epoch == index->epoch)
            index->chunks[number].large_live += d;
    }
}

/* Small objects under a large one: collide with the live, forget the dead (the large one is the
 * last occupant now; and the next scan is short). */
static void sweep_chunk(struct assay_index *index, const struct assay_object *objects,
                        uint32_t chunk_number, uint32_t object, uint64_t from, uint64_t to,
                        struct assay_index_conflict *conflict)
{
    struct assay_index_chunk *chunk = &index->chunks[chunk_number];
    if (chunk->epoch != index->epoch)
        return;
    uint64_t chunk_from = chunk->key << ASSAY_INDEX_CHUNK_SHIFT;
    uint64_t mask = chunk->touched;
    while (mask != 0) {
        unsigned page = (unsigned)__builtin_ctzll(mask);
        mask &= mask - 1;
        uint64_t page_from = chunk_from + ((uint64_t)page << ASSAY_INDEX_PAGE_SHIFT);
        uint64_t page_last = page_from + ((UINT64_C(1) << ASSAY_INDEX_PAGE_SHIFT) - 1);
        if (page_last < from || page_from >= to)
            continue;
        uint32_t *granules = &index->granules[chunk_number][page * PAGE_GRANULES];
        bool live = false;
        for (unsigned i = 0; i < PAGE_GRANULES; i++) {
            uint64_t granule_from = page_from + ((uint64_t)i << ASSAY_INDEX_GRANULE_SHIFT);
            if (granules[i] == 0 || granule_from >= to || granule_from + 15 < from)
                continue;
            uint32_t value = granules[i];
            if (!value_is_live(index, value))
                continue;
            live = true;
            if (!(value & ASSAY_INDEX_SHARED)) {
                collide(objects, object, value - index->base, conflict);
                continue;
            }
            for (uint32_t id = value & ASSAY_INDEX_NUMBER_MAX; id != 0;
                 id = index->nodes[id - index->node_base].next) {
                uint32_t other = index->nodes[id - index->node_base].object;
                if (assay_index_is_live(index, other))
                    collide(objects, object, other, conflict);
            }
        }
        if (!live && page_from >= from && page_last < to) {
            memset(granules, 0, PAGE_GRANULES * sizeof *granules);
            chunk->touched &= ~(UINT64_C(1) << page);
        }
    }
}

static void sweep_small(struct assay_index *index, const struct assay_object *objects,
                        uint32_t object, uint64_t from, uint64_t to,
                        struct assay_index_conflict *conflict)
{
    uint64_t first = from >> ASSAY_INDEX_CHUNK_SHIFT, last = (to - 1) >> ASSAY_INDEX_CHUNK_SHIFT;
    if (last - first >= index->chunk_count) {
        for (uint32_t i = 0; i < index->chunk_count; i++)
            if (index->chunks[i].key >= first && index->chunks[i].key <= last)
                sweep_chunk(index, objects, i, object, from, to, conflict);
        return;
    }
    for (uint64_t key = first; key <= last; key++) {
        uint32_t number = assay_index_find_chunk(index, key);
        if (number != UINT32_MAX)
            sweep_chunk(index, objects, number, object, from, to, conflict);
    }
}

static void drop_dead_large(struct assay_index *index)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < index->large_count; i++)
        if (assay_index_is_live(index, index->large[i].object))
            index->large[kept++] = index->large[i];
    index->large_count = kept;
    index->large_dead = 0;
}

static RARE void put_odd(struct assay_index *index, uint32_t number)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < index->odd_count; i++)
        if (assay_index_is_live(index, index->odd[i]))
            index->odd[kept++] = index->odd[i];
    index->odd_count = kept;
    if (index->odd_count < ASSAY_INDEX_ODD_MAX)
        index->odd[index->odd_count++] = number;
    else
        index->overflowed = true;
}

static RARE void insert_large(struct assay_index *index, const struct assay_object *objects,
                              uint32_t number, uint64_t from, uint64_t to,
                              struct assay_index_conflict *conflict)
{
    sweep_small(index, objects, number, from, to, conflict);
    if (index->large_dead >= ASSAY_INDEX_DEAD_MAX || index->large_count == index->large_capacity)
        drop_dead_large(index);
    uint32_t at = assay_index_large_lower(index, from), end = at;
    bool crowded = false;
    for (; end < index->large_count && index->large[end].from < to; end++)
        if (index->large[end].object != number &&
            assay_index_is_live(index, index->large[end].object)) {
            collide(objects, number, index->large[end].object, conflict);
            crowded = true;
        }
    if (crowded || index->large_count == index->large_capacity) {
        put_odd(index, number);
        return;
    }
    index->large_dead -= end - at;
    memmove(&index->large[at + 1], &index->large[end],
            (index->large_count - end) * sizeof *index->large);
    index->large_count = index->large_count - (end - at) + 1;
    index->large[at] = (struct assay_index_large){from, to, number};
    count_large(index, from, to, 1);
}

/* The usual case: all n granules have one value. Sizes vary from call to call, so that a loop over
 * the granules would be mispredicted nearly always: up to 16 are done by four vectors that overlap
 * where there are fewer, up to 4 by single words that do. */
typedef uint32_t quad __attribute__((vector_size(16), aligned(4), may_alias));

static inline uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline bool all_equal(const uint32_t *g, uint32_t n, uint32_t value)
{
    uint32_t last = n - 1;
    if (n < 4)
        return ((g[0] ^ value) | (g[last / 2] ^ value) | (g[last] ^ value)) == 0;
    const quad wanted = {value, value, value, value};
    quad differ = *(const quad *)(g + n - 4) ^ wanted;
    for (uint32_t i = 16; __builtin_expect(i < n, 0); i += 4)
        differ |= *(const quad *)(g + i - 4) ^ wanted;
    differ |= *(const quad *)g ^ wanted;
    differ |= *(const quad *)(g + least(4, n - 4)) ^ wanted;
    differ |= *(const quad *)(g + least(8, n - 4)) ^ wanted;
    typedef uint64_t pair __attribute__((vector_size(16)));
    pair any = (pair)differ;
    return (any[0] | any[1]) == 0;
}

static inline void set_all(uint32_t *g, uint32_t n, uint32_t value)
{
    uint32_t last = n - 1;
    if (n < 4) {
        g[0] = g[last / 2] = g[last] = value;
        return;
    }
    const quad wanted = {value, value, value, value};
    for (uint32_t i = 16; __builtin_expect(i < n, 0); i += 4)
        *(quad *)(g + i - 4) = wanted;
    *(quad *)g = wanted;
    *(quad *)(g + least(4, n - 4)) = wanted;
    *(quad *)(g + least(8, n - 4)) = wanted;
    *(quad *)(g + n - 4) = wanted;
}

/* Granules whose occupants differ: each by itself. */
static RARE void set_each(struct assay_index *index, const struct assay_object *objects,
                          uint32_t number, uint32_t *granules, uint32_t n,
                          struct assay_index_conflict *conflict)
{
    uint32_t mine = index->base + number, dead = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t value = granules[i];
        if (__builtin_expect(value & ASSAY_INDEX_SHARED, 0)) {
            if ((value & ASSAY_INDEX_NUMBER_MAX) >= index->node_base) {
                granules[i] = share_granule(index, objects, number, value, conflict);
                continue;
            }
        } else if (value > index->base && value != dead && value != mine) {
            if (__builtin_expect(assay_index_is_live(index, value - index->base), 0)) {
                granules[i] = share_granule(index, objects, number, value, conflict);
                continue;
            }
            dead = value;
        }
        granules[i] = mine;
    }
}

/* One chunk's part of a small object. Returns false when there is no room for the chunk. */
static inline bool insert_small(struct assay_index *index, const struct assay_object *objects,
                                uint32_t number, uint64_t from, uint64_t last,
                                struct assay_index_conflict *conflict)
{
    uint32_t chunk_number = need_chunk(index, from >> ASSAY_INDEX_CHUNK_SHIFT);
    if (chunk_number == UINT32_MAX)
        return false;
    struct assay_index_chunk *chunk = &index->chunks[chunk_number];
    uint32_t chunk_mask = (UINT32_C(1) << ASSAY_INDEX_CHUNK_SHIFT) - 1;
    uint32_t first_at = (uint32_t)from & chunk_mask, last_at = (uint32_t)last & chunk_mask;
    unsigned first_page = first_at >> ASSAY_INDEX_PAGE_SHIFT,
             last_page = last_at >> ASSAY_INDEX_PAGE_SHIFT;
    chunk->touched |= ((UINT64_C(2) << (last_page - first_page)) - 1) << first_page;
    if (__builtin_expect(chunk->large_live != 0, 0))
        collide_large(index, objects, number, from, last + 1, conflict);
    uint32_t first = first_at >> ASSAY_INDEX_GRANULE_SHIFT;
    uint32_t n = (last_at >> ASSAY_INDEX_GRANULE_SHIFT) - first + 1;
    uint32_t *granules = index->granules[chunk_number] + first, before = granules[0];
    if (!(before & ASSAY_INDEX_SHARED) && all_equal(granules, n, before) &&
        (before <= index->base || !assay_index_is_live(index, before - index->base)))
        set_all(granules, n, index->base + number);
    else
        set_each(index, objects, number, granules, n, conflict);
    return true;
}

static RARE bool insert_in_two(struct assay_index *index, const struct assay_object *objects,
                               uint32_t number, uint64_t from, uint64_t last, uint64_t chunk_last,
                               struct assay_index_conflict *conflict)
{
    bool first = insert_small(index, objects, number, from, chunk_last, conflict);
    return insert_small(index, objects, number, chunk_last + 1, last, conflict) && first;
}

void assay_index_insert(struct assay_index *index, const struct assay_object *objects,
                        uint32_t number, struct assay_index_conflict *ret_conflict)
{
    uint64_t from, to;
    *ret_conflict = (struct assay_index_conflict){0, 0};
    index->live[number / 64] |= UINT64_C(1) << number % 64;
    assay_index_extent(&objects[number], &from, &to);
    if (__builtin_expect(index->odd_count != 0, 0))
        collide_odd(index, objects, number, ret_conflict);
    if (__builtin_expect(to - from > ASSAY_INDEX_LARGE, 0)) {
        insert_large(index, objects, number, from, to, ret_conflict);
        return;
    }
    uint64_t last = to - 1, chunk_last = from | ((UINT64_C(1) << ASSAY_INDEX_CHUNK_SHIFT) - 1);
    bool done = __builtin_expect(last <= chunk_last, 1)
                    ? insert_small(index, objects, number, from, last, ret_conflict)
                    : insert_in_two(index, objects, number, from, last, chunk_last, ret_conflict);
    if (__builtin_expect(!done, 0))
        put_odd(index, number);
}

void assay_index_remove(struct assay_index *index, const struct assay_object *objects,
                        uint32_t number)
{
    uint64_t from, to;
    index->live[number / 64] &= ~(UINT64_C(1) << number % 64);
    assay_index_extent(&objects[number], &from, &to);
    if (__builtin_expect(to - from <= ASSAY_INDEX_LARGE, 1))
        return;
    uint32_t at = assay_index_large_lower(index, from);
    if (at < index->large_count && index->large[at].object == number) {
        index->large_dead++;
        count_large(index, from, to, UINT32_MAX);
    }
}

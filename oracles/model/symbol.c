#include "oracles/model/symbol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "traces/core/error.h"

enum {
    GRANULE_SHIFT = 3, /* 8 bytes: the finest alignment that allocators in use hand out */
    CHUNK_SHIFT = 20,  /* address space is mapped in chunks of 1 MiB */
    CHUNK_GRANULES = 1 << (CHUNK_SHIFT - GRANULE_SHIFT),
    CHUNKS_MAX = 8 << 10, /* 8 GiB of objects cost up to 4 GiB here: more is refused, not tried */
    PAGE_SHIFT = 12,
    DENSE_BYTES = 32 << 10, /* larger objects mark one granule a page */
    NEIGHBOUR_BYTES = 128,  /* farther apart is not adjacent */
    STRETCH_GAP =
        16 << 20, /* fresh address space farther than this from all known starts a new stretch */
    STRETCHES_MAX = 256,
};

struct object {
    uint64_t address;
    uint64_t bytes; /* max(requested, usable, 1): all that the next occupant takes over */
    bool live;
};

struct chunk {
    uint64_t number;     /* address >> CHUNK_SHIFT, +1 so that 0 is empty */
    uint32_t *occupants; /* CHUNK_GRANULES last occupants */
};

struct stretch {
    uint64_t first, low, high;
};

struct assay_symbols {
    struct object *objects; /* by number */
    size_t object_capacity;
    struct chunk *chunks; /* open addressing, a power of two */
    size_t chunk_capacity, chunk_count;
    struct stretch stretches[STRETCHES_MAX];
    size_t stretch_count;
};

struct assay_symbols *assay_symbols_create(void)
{
    struct assay_symbols *symbols = calloc(1, sizeof *symbols);
    if (!symbols)
        return NULL;
    symbols->chunk_capacity = 1024;
    symbols->chunks = calloc(symbols->chunk_capacity, sizeof *symbols->chunks);
    if (!symbols->chunks) {
        free(symbols);
        return NULL;
    }
    return symbols;
}

void assay_symbols_free(struct assay_symbols *symbols)
{
    if (!symbols)
        return;
    for (size_t i = 0; i < symbols->chunk_capacity; i++)
        free(symbols->chunks[i].occupants);
    free(symbols->chunks);
    free(symbols->objects);
    free(symbols);
}

static struct chunk *chunk_slot(struct chunk *chunks, size_t capacity, uint64_t number)
{
    size_t at = (size_t)(number * 0x9e3779b97f4a7c15u >> 20) & (capacity - 1);
    while (chunks[at].number && chunks[at].number != number)
        at = (at + 1) & (capacity - 1);
    return &chunks[at];
}

static int chunks_grow(struct assay_symbols *symbols)
{
    size_t capacity = symbols->chunk_capacity * 2;
    struct chunk *chunks = calloc(capacity, sizeof *chunks);
    if (!chunks)
        return ASSAY_E_MEMORY;
    for (size_t i = 0; i < symbols->chunk_capacity; i++)
        if (symbols->chunks[i].number)
            *chunk_slot(chunks, capacity, symbols->chunks[i].number) = symbols->chunks[i];
    free(symbols->chunks);
    symbols->chunks = chunks;
    symbols->chunk_capacity = capacity;
    return 0;
}

static uint32_t granule_get(const struct assay_symbols *symbols, uint64_t address)
{
    const struct chunk *chunk =
        chunk_slot(symbols->chunks, symbols->chunk_capacity, (address >> CHUNK_SHIFT) + 1);
    if (!chunk->number)
        return 0;
    return chunk->occupants[(address >> GRANULE_SHIFT) & (CHUNK_GRANULES - 1)];
}

static int granule_set(struct assay_symbols *symbols, uint64_t address, uint32_t object)
{
    uint64_t number = (address >> CHUNK_SHIFT) + 1;
    struct chunk *chunk = chunk_slot(symbols->chunks, symbols->chunk_capacity, number);
    if (!chunk->number) {
        if (symbols->chunk_count == CHUNKS_MAX)
            return ASSAY_E_LIMIT;
        if (2 * (symbols->chunk_count + 1) > symbols->chunk_capacity) {
            if (chunks_grow(symbols) != 0)
                return ASSAY_E_MEMORY;
            chunk = chunk_slot(symbols->chunks, symbols->chunk_capacity, number);
        }
        uint32_t *occupants = calloc(CHUNK_GRANULES, sizeof *occupants);
        if (!occupants)
            return ASSAY_E_MEMORY;
        *chunk = (struct chunk){number, occupants};
        symbols->chunk_count++;
    }
    chunk->occupants[(address >> GRANULE_SHIFT) & (CHUNK_GRANULES - 1)] = object;
    return 0;
}

static bool covers(const struct assay_symbols *symbols, uint32_t number, uint64_t address)
{
    const struct object *object = &symbols->objects[number];
    return number && address >= object->address && address - object->address < object->bytes;
}

/* The last object that covered the address, 0 if none did. */
static uint32_t last_occupant(const struct assay_symbols *symbols, uint64_t address)
{
    uint32_t exact = granule_get(symbols, address);
    uint32_t page = granule_get(symbols, address >> PAGE_SHIFT << PAGE_SHIFT);
    uint32_t best = covers(symbols, exact, address) ? exact : 0;
    if (page > best && covers(symbols, page, address))
        best = page;
    return best;
}

static uint32_t neighbour_before(const struct assay_symbols *symbols, uint64_t address,
                                 uint64_t *ret_distance)
{
    for (uint64_t back = 1; back <= NEIGHBOUR_BYTES && back < address; back += 1 << GRANULE_SHIFT) {
        uint32_t number = last_occupant(symbols, address - back);
        if (number) {
            *ret_distance = address - symbols->objects[number].address;
            return number;
        }
    }
    return 0;
}

static uint32_t neighbour_after(const struct assay_symbols *symbols, uint64_t end,
                                uint64_t *ret_gap)
{
    for (uint64_t ahead = 0; ahead < NEIGHBOUR_BYTES; ahead += 1 << GRANULE_SHIFT) {
        uint32_t number = last_occupant(symbols, end + ahead);
        if (number) {
            uint64_t start = symbols->objects[number].address;
            *ret_gap = start > end ? start - end : 0;
            return number;
        }
    }
    return 0;
}

static const struct stretch *find_stretch(const struct assay_symbols *symbols, uint64_t address)
{
    for (size_t i = 0; i < symbols->stretch_count; i++) {
        const struct stretch *s = &symbols->stretches[i];
        if (address + STRETCH_GAP >= s->low && address <= s->high + STRETCH_GAP)
            return s;
    }
    return NULL;
}

static uint64_t extent(const struct assay_event *event)
{
    uint64_t bytes;
    assay_event_bytes(event, &bytes);
    if (event->flags & ASSAY_FLAG_USABLE && event->usable_extra > 0)
        bytes += (uint64_t)event->usable_extra;
    return bytes ? bytes : 1;
}

static bool live_object(const struct assay_symbols *symbols, uint32_t object)
{
    return object && object < symbols->object_capacity && symbols->objects[object].live;
}

struct assay_name assay_symbols_name(const struct assay_symbols *symbols,
                                     const struct assay_event *event)
{
    struct assay_name name = {.kind = ASSAY_NAME_NONE};
    if (!assay_event_bears(event) || !(event->flags & ASSAY_FLAG_EXECUTED) ||
        event->flags & ASSAY_FLAG_BEGIN)
        return name;
    uint64_t address = event->address;
    name.kind = ASSAY_NAME_NULL;
    if (!address)
        return name;
    uint32_t last = last_occupant(symbols, address);
    if (last) {
        name.object = last;
        name.offset = address - symbols->objects[last].address;
        name.kind = name.offset ? ASSAY_NAME_INSIDE : ASSAY_NAME_BASE;
        return name;
    }
    if ((name.object = neighbour_before(symbols, address, &name.offset)) != 0) {
        name.kind = ASSAY_NAME_AFTER;
        return name;
    }
    if ((name.object = neighbour_after(symbols, address + extent(event), &name.offset)) != 0) {
        name.kind = ASSAY_NAME_BEFORE;
        return name;
    }
    const struct stretch *stretch = find_stretch(symbols, address);
    name.kind = ASSAY_NAME_FRESH;
    name.object =
        (uint32_t)(stretch ? stretch - symbols->stretches : (ptrdiff_t)symbols->stretch_count);
    name.offset = stretch ? address - stretch->first : 0;
    return name;
}

static int objects_reach(struct assay_symbols *symbols, uint32_t number)
{
    if (number < symbols->object_capacity)
        return 0;
    size_t capacity = symbols->object_capacity ? symbols->object_capacity : 4096;
    while (capacity <= number)
        capacity *= 2;
    struct object *objects = realloc(symbols->objects, capacity * sizeof *objects);
    if (!objects)
        return ASSAY_E_MEMORY;
    memset(objects + symbols->object_capacity, 0,
           (capacity - symbols->object_capacity) * sizeof *objects);
    symbols->objects = objects;
    symbols->object_capacity = capacity;
    return 0;
}

static void stretch_extend(struct assay_symbols *symbols, uint64_t low, uint64_t high)
{
    struct stretch *stretch = (struct stretch *)find_stretch(symbols, low);
    if (!stretch) {
        if (symbols->stretch_count == STRETCHES_MAX)
            return;
        symbols->stretches[symbols->stretch_count++] = (struct stretch){low, low, high};
        return;
    }
    if (low < stretch->low)
        stretch->low = low;
    if (high > stretch->high)
        stretch->high = high;
}

static int occupy(struct assay_symbols *symbols, uint32_t number)
{
    const struct object *object = &symbols->objects[number];
    uint64_t end = object->address + object->bytes;
    if (object->bytes >> CHUNK_SHIFT > CHUNKS_MAX)
        return ASSAY_E_LIMIT;
    int code = granule_set(symbols, object->address, number);
    if (object->bytes <= DENSE_BYTES) {
        uint64_t step = 1u << GRANULE_SHIFT;
        for (uint64_t at = (object->address & ~(step - 1)) + step; at < end && code == 0;
             at += step)
            code = granule_set(symbols, at, number);
        return code;
    }
    for (uint64_t page = (object->address >> PAGE_SHIFT) + 1; page << PAGE_SHIFT < end && code == 0;
         page++)
        code = granule_set(symbols, page << PAGE_SHIFT, number);
    return code;
}

int assay_symbols_bind(struct assay_symbols *symbols, const struct assay_event *event)
{
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    bool bears = assay_event_bears(event);
    if (!(event->flags & ASSAY_FLAG_EXECUTED) ||
        event->flags & (ASSAY_FLAG_LIBRARY | ASSAY_FLAG_SKIPPED))
        return 0;
    bool gives_up = op_class == ASSAY_CLASS_RELEASE ||
                    (op_class == ASSAY_CLASS_RESIZE &&
                     (event->address || event->flags & ASSAY_FLAG_BEGIN || event->size == 0));
    if (gives_up && event->place == ASSAY_PLACE_OBJECT && live_object(symbols, event->object))
        symbols->objects[event->object].live = false;
    if (op_class == ASSAY_CLASS_RESIZE && event->flags & ASSAY_FLAG_END && !event->address &&
        event->size != 0 && event->object && event->object < symbols->object_capacity)
        symbols->objects[event->object].live = true; /* the resize failed: the operand lives on */
    if (!bears || !event->address || !event->born || event->flags & ASSAY_FLAG_BEGIN)
        return 0;
    if (objects_reach(symbols, event->born) != 0)
        return ASSAY_E_MEMORY;
    uint64_t bytes = extent(event);
    symbols->objects[event->born] = (struct object){event->address, bytes, true};
    stretch_extend(symbols, event->address, event->address + bytes);
    return occupy(symbols, event->born);
}

bool assay_symbols_live(const struct assay_symbols *symbols, uint32_t object)
{
    return live_object(symbols, object);
}

uint32_t assay_symbols_blocker(const struct assay_symbols *symbols, const struct assay_name *name)
{
    uint64_t address;
    if (name->kind == ASSAY_NAME_FRESH) {
        if (name->object >= symbols->stretch_count)
            return 0;
        address = symbols->stretches[name->object].first + name->offset;
    } else if (name->kind < ASSAY_NAME_BASE || name->kind > ASSAY_NAME_BEFORE) {
        return 0;
    } else {
        if (name->object >= symbols->object_capacity || !symbols->objects[name->object].address)
            return ASSAY_NOWHERE;
        const struct object *object = &symbols->objects[name->object];
        address = object->address;
        if (name->kind == ASSAY_NAME_INSIDE || name->kind == ASSAY_NAME_AFTER)
            address += name->offset;
        else if (name->kind == ASSAY_NAME_BEFORE)
            address -= name->offset + 1;
    }
    uint32_t occupant = last_occupant(symbols, address);
    return occupant && symbols->objects[occupant].live ? occupant : 0;
}

int assay_name_print(char *text, size_t size, const struct assay_name *name)
{
    unsigned long long offset = name->offset;
    switch (name->kind) {
    case ASSAY_NAME_NULL: return snprintf(text, size, "NULL");
    case ASSAY_NAME_BASE: return snprintf(text, size, "base of freed object %u", name->object);
    case ASSAY_NAME_INSIDE:
        return snprintf(text, size, "inside freed object %u at +%llu", name->object, offset);
    case ASSAY_NAME_AFTER:
        return snprintf(text, size, "next to object %u, at +%llu", name->object, offset);
    case ASSAY_NAME_BEFORE:
        return snprintf(text, size, "%llu bytes before object %u", offset, name->object);
    case ASSAY_NAME_FRESH:
        return snprintf(text, size, "fresh memory, stretch %u at %+lld", name->object,
                        (long long)offset);
    default: return snprintf(text, size, "nothing");
    }
}

bool assay_name_equal(const struct assay_name *a, const struct assay_name *b)
{
    return a->kind == b->kind && a->object == b->object && a->offset == b->offset;
}

/* What of an op is an argument: everything that the client chose, nothing that the allocator
 * answered. */
struct term_source {
    uint64_t tag, state_low, state_high, call, size, arg, operand;
};

static struct assay_term digest(uint64_t tag, struct assay_term state, const struct assay_event *op,
                                uint32_t operand)
{
    struct term_source source = {
        .tag = tag,
        .state_low = state.low,
        .state_high = state.high,
        .call = (uint64_t)op->kind | (uint64_t)op->family << 8 | (uint64_t)op->place << 16,
        .size = op->size,
        .arg = op->arg,
        .operand = operand,
    };
    XXH128_hash_t hash = XXH3_128bits(&source, sizeof source);
    return (struct assay_term){hash.low64, hash.high64};
}

struct assay_term assay_term_update(struct assay_term state, const struct assay_event *op,
                                    uint32_t operand)
{
    return digest(1, state, op, operand);
}

struct assay_term assay_term_result(struct assay_term state, const struct assay_event *op,
                                    uint32_t operand)
{
    return digest(2, state, op, operand);
}

struct assay_term assay_term_fresh(uint64_t n)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(&n, sizeof n, 3);
    return (struct assay_term){hash.low64, hash.high64};
}

bool assay_term_equal(struct assay_term a, struct assay_term b)
{
    return a.low == b.low && a.high == b.high;
}

/* S12-S14, S21, S23, S25, S29, S30: where objects are put, and what stands near them. */
#include <stdlib.h>

#include "oracles/misuse/build.h"
#include "oracles/misuse/variants.h"

enum { PICKED = 5, LARGE_BYTES = 512 * 1024, PAGE = 4096 };

/* Is the freed range handed out again within so many allocations? */
ASSAY_BUILDER(reclaim)
{
    uint64_t size = variant == RECLAIM_LARGE ? LARGE_BYTES : m->size;
    if (m->stage == 0) {
        m->note[0] = assay_misuse_objects(m, OBJECTS, size) + PICKED;
        return true;
    }
    if (m->stage > 1)
        return false;
    uint32_t object = (uint32_t)m->note[0];
    uint64_t address = assay_misuse_address(m, object);
    unsigned count = variant == RECLAIM_LARGE ? 1 : variant == RECLAIM_OTHER_SIZE ? 256 : variant;
    assay_misuse_release(m, object, SETUP);
    for (unsigned i = 0; i < count; i++) {
        uint64_t wanted = variant == RECLAIM_OTHER_SIZE ? m->size * (2 + i % 8) : size;
        assay_misuse_put(
            m, (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = wanted, .born = ++m->objects},
            (struct assay_mark){.moment = i == 0 ? NEXT_MALLOC : LATER,
                                .expect = ASSAY_EXPECT_NOT_AT,
                                .effect = ASSAY_EFFECT_RECLAIMED,
                                .other = (uint32_t)size,
                                .word = address});
    }
    return true;
}

/* Does an object come to stand beside the one before it (or any), but for rounding and a header? */
ASSAY_BUILDER(adjacent)
{
    bool other_thread = variant == ADJACENT_OTHER_THREAD;
    uint64_t size = variant == ADJACENT_OTHER_CLASS ? 4 * m->size : m->size;
    if (m->stage == 0) {
        assay_misuse_objects(m, OBJECTS, m->size);
        if (other_thread)
            return true;
    } else if (!other_thread || m->stage > 1) {
        return false;
    }
    m->thread = other_thread;
    struct assay_mark mark = {.moment = MISUSE,
                              .expect = ASSAY_EXPECT_APART,
                              .effect = ASSAY_EFFECT_ADJACENT,
                              .other = OBJECTS};
    assay_misuse_put(
        m, (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = size, .born = ++m->objects}, mark);
    /* the same result against each of the others: a store of the size tells where it is again */
    for (uint32_t other = 1; other < OBJECTS && variant == ADJACENT_ANY; other++) {
        mark.other = other;
        assay_misuse_put(
            m,
            (struct assay_event){
                .kind = ASSAY_OP_STORE, .object = m->objects, .size = size, .born = WORD},
            mark);
    }
    return true;
}

/* The first address of a process, and how far the second is from it. */
ASSAY_BUILDER(predict)
{
    enum { LOW_BITS = 4 };
    uint64_t size = variant == PREDICT_LARGE ? LARGE_BYTES : m->size;
    if (m->stage == 0) {
        assay_misuse_malloc(m, size, MISUSE);
        assay_misuse_malloc(m, size, MISUSE);
        return true;
    }
    uint64_t first = assay_misuse_address(m, 1), second = assay_misuse_address(m, 2);
    m->measured = first && second;
    m->value = (variant == PREDICT_DELTA ? second - first : first) >> LOW_BITS;
    return false;
}

/* Bytes from an object's end (or start) to the first that cannot be read; a page at a time. */
ASSAY_BUILDER(distance)
{
    enum { STEP = 64, PAGES = ASSAY_MISUSE_GUARD_FARTHEST / PAGE };
    bool start = (variant & ~(unsigned)DISTANCE_LARGE) == DISTANCE_START;
    uint64_t size = variant & DISTANCE_LARGE ? LARGE_BYTES : m->size;
    uint32_t object = 1 + PICKED;
    if (m->stage == 0) {
        assay_misuse_objects(m, OBJECTS, size);
        m->note[0] = m->n;
        return true;
    }
    uint64_t address = assay_misuse_address(m, object), end = address + size;
    uint64_t first = start ? (address & -(uint64_t)PAGE) - 1 : (end + PAGE - 1) & -(uint64_t)PAGE;
    uint64_t done = m->n - m->note[0], pages = 0;
    while (pages < done && !m->events[m->note[0] + pages].signal)
        pages++;
    if (pages < done || done >= PAGES) {
        m->measured = true;
        m->value = (start ? address - first - 1 : first - end) + pages * PAGE;
        return false;
    }
    for (uint64_t i = done; i < done + STEP; i++) {
        uint64_t at = start ? first - i * PAGE : first + i * PAGE;
        assay_misuse_put(
            m,
            (struct assay_event){
                .kind = ASSAY_OP_READ, .object = object, .arg = at - address, .size = 1},
            (struct assay_mark){.moment = LATER});
    }
    return true;
}

ASSAY_BUILDER(executable)
{
    static const uint64_t sizes[] = {0, 24, 2000, 40000, LARGE_BYTES, 3 << 20, 48 << 20};
    enum { LARGEST = sizeof sizes / sizeof *sizes - 1 }; /* of malloc alone */
    static const uint8_t kinds[] = {ASSAY_OP_MALLOC, ASSAY_OP_CALLOC, ASSAY_OP_POSIX_MEMALIGN,
                                    ASSAY_OP_ALIGNED_ALLOC, ASSAY_OP_REALLOC};
    (void)variant;
    if (m->stage > 0)
        return false;
    for (size_t k = 0; k < sizeof kinds; k++)
        for (size_t i = 0; i < LARGEST + (k == 0) && !(m->missing >> kinds[k] & 1); i++) {
            struct assay_event op = {.kind = kinds[k], .size = sizes[i]};
            if (op.kind == ASSAY_OP_CALLOC)
                op.arg = 1;
            if (op.kind == ASSAY_OP_POSIX_MEMALIGN || op.kind == ASSAY_OP_ALIGNED_ALLOC)
                op.arg = PAGE;
            if (op.kind == ASSAY_OP_ALIGNED_ALLOC)
                op.size = (op.size + PAGE) & -(uint64_t)PAGE;
            if (op.kind == ASSAY_OP_REALLOC) {
                op.object = assay_misuse_malloc(m, 1, SETUP);
                op.size++;
            }
            op.born = ++m->objects;
            assay_misuse_put(m, op, (struct assay_mark){.moment = SETUP});
        }
    assay_misuse_put(
        m, (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = m->size, .born = ++m->objects},
        (struct assay_mark){
            .moment = MISUSE, .expect = ASSAY_EXPECT_NO_WX, .effect = ASSAY_EFFECT_EXECUTABLE});
    return true;
}

/* Calls between a free and the reuse of its memory: in pairs of malloc and free, or by mallocs. */
ASSAY_BUILDER(reuse)
{
    enum { STEP = 128 };
    uint64_t from = m->note[0], start = m->note[1];
    if (m->stage == 0) {
        uint32_t object = assay_misuse_objects(m, OBJECTS, m->size) + PICKED;
        assay_misuse_release(m, object, SETUP);
        m->note[2] = object;
        m->note[1] = m->n;
    } else {
        uint64_t address = assay_misuse_address(m, (uint32_t)m->note[2]);
        for (uint64_t i = from; i < m->n; i++) {
            uint64_t at = m->events[i].address;
            if (m->events[i].kind != ASSAY_OP_MALLOC || at >= address + m->size ||
                at + m->size <= address)
                continue;
            m->measured = true;
            m->value = i - start;
            return false;
        }
        if (m->n - start >= ASSAY_MISUSE_REUSE_MOST) {
            m->measured = true;
            m->value = m->n - start;
            return false;
        }
    }
    m->note[0] = m->n;
    for (unsigned i = 0; i < STEP; i++) {
        uint32_t object = assay_misuse_malloc(m, m->size, LATER);
        if (variant == REUSE_PAIRS)
            assay_misuse_release(m, object, LATER);
    }
    return true;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Least distance of two objects of a set-up: no slot is larger. */
static uint64_t slot_bytes(const struct assay_misuse *m, uint32_t first, unsigned count)
{
    uint64_t addresses[OBJECTS], least = PAGE;
    for (unsigned i = 0; i < count; i++)
        addresses[i] = assay_misuse_address(m, first + i);
    qsort(addresses, count, sizeof *addresses, by_value);
    for (unsigned i = 1; i < count; i++)
        if (addresses[i] - addresses[i - 1] < least)
            least = addresses[i] - addresses[i - 1];
    return least < m->size ? m->size : least;
}

static bool goes_on_in(const struct assay_misuse *m, size_t i, uint64_t from)
{
    return i < m->map_count && m->maps[i].from == from && m->maps[i].anonymous &&
           m->maps[i].readable;
}

/* The words within the radius of a live object to which memory reaches without a gap (advice and
 * names split it into several mappings), put as reads. False: its mapping is not known. */
static bool read_around(struct assay_misuse *m, uint64_t address, uint64_t radius)
{
    uint64_t from = address - radius, to = address + m->size + radius;
    size_t low = 0, high;
    while (low < m->map_count && m->maps[low].to <= address)
        low++;
    high = low;
    if (low == m->map_count || m->maps[low].from > address) {
        m->reason = "the mapping of an object is not known";
        return false;
    }
    while (low > 0 && goes_on_in(m, low - 1, m->maps[low - 1].from) &&
           m->maps[low - 1].to == m->maps[low].from)
        low--;
    while (goes_on_in(m, high + 1, m->maps[high].to))
        high++;
    from = from < m->maps[low].from ? m->maps[low].from : from;
    to = to > m->maps[high].to ? m->maps[high].to : to;
    from &= ~(uint64_t)(WORD - 1);
    for (uint64_t at = from; at + WORD <= to; at += WORD)
        assay_misuse_put(
            m,
            (struct assay_event){
                .kind = ASSAY_OP_READ, .place = ASSAY_PLACE_WILD, .arg = at, .size = WORD},
            (struct assay_mark){.moment = SETUP});
    return true;
}

/* True if a word belongs to the slot of an object: those may change as they are handed out and
 * taken back. */
static bool in_slot(const uint64_t *slots, size_t count, uint64_t bytes, uint64_t at)
{
    for (size_t i = 0; i < count; i++)
        if (slots[i] && at + WORD > slots[i] && at < slots[i] + bytes)
            return true;
    return false;
}

/* The object that stands highest: what is made next may be next to it. */
static uint32_t highest(const struct assay_misuse *m)
{
    uint32_t found = 1;
    for (uint32_t object = 2; object <= OBJECTS; object++)
        if (assay_misuse_address(m, object) > assay_misuse_address(m, found))
            found = object;
    return found;
}

/* Looked at twice with nothing between, so that what changes by itself (a signal's stack) is known;
 * then again when other objects came and went. Their slots are exempt. */
ASSAY_BUILDER(metadata)
{
    enum { FREED = 4, MADE = 12, SLOTS = FREED + MADE };
    uint64_t radius = variant;
    uint32_t object = m->stage ? highest(m) : 0;
    switch (m->stage) {
    case 0: assay_misuse_objects(m, OBJECTS, m->size); return true;
    case 1: {
        uint64_t address = assay_misuse_address(m, object);
        m->note[0] = m->n;
        if (!read_around(m, address, radius))
            return false;
        m->note[1] = m->n;
        read_around(m, address, radius);
        m->note[2] = m->n;
        for (uint32_t i = 1, freed = 0; freed < FREED; i += 2)
            if (i != object) {
                m->note[3 + freed++] = i;
                assay_misuse_release(m, i, MISUSE);
            }
        for (unsigned i = 0; i < MADE; i++)
            assay_misuse_malloc(m, m->size, MISUSE);
        assay_misuse_release(m, m->objects, MISUSE);
        return true;
    }
    case 2: {
        uint64_t slots[SLOTS], bytes = slot_bytes(m, 1, OBJECTS);
        for (unsigned i = 0; i < FREED; i++)
            slots[i] = assay_misuse_address(m, (uint32_t)m->note[3 + i]);
        for (unsigned i = 0; i < MADE; i++)
            slots[FREED + i] = assay_misuse_address(m, OBJECTS + 1 + i);
        for (uint64_t i = m->note[0], j = m->note[1]; i < m->note[1] && j < m->note[2]; i++, j++) {
            const struct assay_event before = m->events[i], again = m->events[j];
            if (before.signal || again.signal || before.value != again.value ||
                in_slot(slots, SLOTS, bytes, before.arg))
                continue;
            assay_misuse_put(m,
                             (struct assay_event){.kind = ASSAY_OP_READ,
                                                  .place = ASSAY_PLACE_WILD,
                                                  .arg = before.arg,
                                                  .size = WORD},
                             (struct assay_mark){.moment = LATER,
                                                 .expect = ASSAY_EXPECT_SAME,
                                                 .effect = ASSAY_EFFECT_METADATA,
                                                 .word = before.value});
        }
        return true;
    }
    default: return false;
    }
}

#include "large.h"

#include "canary.h"
#include "pages.h"

enum { TABLE_MIN = 256 };

/* The random stream of large objects; classes use their index. */
enum { LARGE_NONCE = 1000 };

void bw_large_start(struct bw_large *large, const uint32_t *key)
{
    bw_lock_init(&large->lock);
    large->table = NULL;
    large->capacity = large->count = 0;
    large->quarantine_length = 0;
    bw_random_start(&large->random, key, LARGE_NONCE);
}

/* ---- the table ---- */

static uint32_t home(const struct bw_large *large, uintptr_t address)
{
    return (uint32_t)((address >> 12) * 0x9fb21c651e98df25u >> 32) & (large->capacity - 1);
}

/* The table stands alone in a reservation with a guard page on each side. */
static struct bw_large_object *table_make(uint32_t capacity)
{
    size_t page = bw_page_size();
    size_t bytes = bw_round_up(capacity * sizeof(struct bw_large_object), page);
    uint8_t *p = bw_pages_reserve(bytes + 2 * page);
    if (p == NULL)
        return NULL;
    if (!bw_pages_commit(p + page, bytes)) {
        bw_pages_release(p, bytes + 2 * page);
        return NULL;
    }
    return (struct bw_large_object *)(p + page);
}

static void table_drop(struct bw_large_object *table, uint32_t capacity)
{
    size_t page = bw_page_size();
    size_t bytes = bw_round_up(capacity * sizeof(struct bw_large_object), page);
    bw_pages_release((uint8_t *)table - page, bytes + 2 * page);
}

static struct bw_large_object *find(const struct bw_large *large, uintptr_t address)
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

static void insert(struct bw_large *large, const struct bw_large_object *object)
{
    uint32_t i = home(large, object->address);
    while (large->table[i].address != 0)
        i = (i + 1) & (large->capacity - 1);
    large->table[i] = *object;
    large->count++;
}

static bool make_room(struct bw_large *large)
{
    if ((large->count + 1) * 2 <= large->capacity)
        return true;
    uint32_t old_capacity = large->capacity;
    struct bw_large_object *old = large->table;
    uint32_t capacity = old_capacity == 0 ? TABLE_MIN : old_capacity * 2;
    struct bw_large_object *table = table_make(capacity);
    if (table == NULL)
        return false;
    large->table = table;
    large->capacity = capacity;
    large->count = 0;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i].address != 0)
            insert(large, &old[i]);
    }
    if (old != NULL)
        table_drop(old, old_capacity);
    return true;
}

/* Closes the gap, so that searches need no tombstones. */
static void erase(struct bw_large *large, struct bw_large_object *object)
{
    uint32_t mask = large->capacity - 1;
    uint32_t hole = (uint32_t)(object - large->table);
    for (uint32_t i = (hole + 1) & mask;
         large->table[i].address != 0 && !bw_mutant_large_table_hole; i = (i + 1) & mask) {
        uint32_t from_home = (i - home(large, large->table[i].address)) & mask;
        if (from_home >= ((i - hole) & mask)) {
            large->table[hole] = large->table[i];
            hole = i;
        }
    }
    large->table[hole].address = 0;
    large->count--;
}

static void unmap(const struct bw_large_object *object)
{
    bw_pages_release((void *)(object->address - object->before),
                     object->before + object->usable +
                         (bw_mutant_large_gap_kept ? 0 : object->after));
}

/* ---- quarantine of addresses ---- */

/* Takes entry `at` out of the quarantine; its addresses may be used again by anyone. */
static void evict(struct bw_large *large, uint32_t at)
{
    struct bw_large_object *object = find(large, large->quarantine[at]);
    large->quarantine[at] = large->quarantine[--large->quarantine_length];
    unmap(object);
    erase(large, object);
}

static bool evict_all(struct bw_large *large)
{
    bool any = large->quarantine_length != 0;
    while (large->quarantine_length != 0)
        evict(large, large->quarantine_length - 1);
    return any;
}

/* ---- allocating ---- */

static uint32_t random_gap(struct bw_large *large)
{
    return (1 + bw_random_below(&large->random, bw_policy_large_guard_pages_max)) *
           (uint32_t)bw_page_size();
}

enum { PLACE_TRIALS = 4 };

/* Anywhere in the window where nothing stands; failing that, where the system likes. */
static uint8_t *reserve_somewhere(struct bw_large *large, size_t bytes)
{
    size_t page = bw_page_size();
    if (bw_policy_large_random_place && large->window != 0 && bytes < BW_LARGE_WINDOW / 2) {
        for (int trial = 0; trial < PLACE_TRIALS; trial++) {
            size_t offset = bw_random_64(&large->random) % (BW_LARGE_WINDOW - bytes) / page * page;
            uint8_t *p = bw_pages_reserve_at((void *)(large->window + offset), bytes);
            if (p != NULL)
                return p;
        }
    }
    return bw_pages_reserve(bytes);
}

static bool map(struct bw_large *large, struct bw_large_object *object, size_t alignment)
{
    size_t page = bw_page_size();
    /* A small object is here only because its class was full: address space is short. */
    bool spilled = object->size <= BW_REQUEST_MAX && alignment <= page;
    size_t gap_before = spilled ? page : random_gap(large);
    size_t gap_after = spilled ? page : random_gap(large);
    size_t total = gap_before + object->usable + gap_after + (alignment > page ? alignment : 0);
    if (total < object->usable)
        return false;
    uint8_t *start = reserve_somewhere(large, total);
    if (start == NULL)
        return false;
    uint8_t *p = start + gap_before;
    if (alignment > page) {
        p = (uint8_t *)bw_round_up((uintptr_t)p, alignment);
        /* What the alignment left over goes back, so that both gaps keep their size. */
        size_t head = (size_t)(p - start) - gap_before;
        if (head != 0)
            bw_pages_release(start, head);
        bw_pages_release(p + object->usable + gap_after, alignment - head);
    }
    object->address = (uintptr_t)p;
    object->before = (uint32_t)gap_before;
    object->after = (uint32_t)gap_after;
    bool short_of_it = bw_mutant_large_page_short && object->usable > (1 << 20);
    if (!bw_pages_commit(p, object->usable - (short_of_it ? page : 0))) {
        unmap(object);
        return false;
    }
    return true;
}

static uint8_t *end_of(const struct bw_large_object *object)
{
    return (uint8_t *)object->address + object->usable;
}

static size_t slack_of(const struct bw_large_object *object)
{
    return object->usable - object->size;
}

static uint8_t *canary_end(const struct bw_large_object *object, size_t *ret_slack)
{
    size_t slack = slack_of(object);
    size_t most = (slack & 15) + bw_policy_canary_bytes_max;
    *ret_slack = slack < most ? slack : most;
    return end_of(object) - (slack - *ret_slack);
}

static void fill_canary(const struct bw_heap *heap, const struct bw_large_object *object)
{
    size_t slack;
    uint8_t *end = canary_end(object, &slack);
    bw_canary_fill(heap->secret, (void *)object->address, end, slack);
}

static bool canary_intact(const struct bw_heap *heap, const struct bw_large_object *object)
{
    size_t slack;
    const uint8_t *end = canary_end(object, &slack);
    return bw_canary_intact(heap->secret, (const void *)object->address, end, slack);
}

void *bw_large_alloc(struct bw_heap *heap, size_t size, size_t alignment)
{
    struct bw_large *large = &heap->large;
    size_t page = bw_page_size();
    size_t usable = bw_round_up(size == 0 ? 1 : size, page);
    struct bw_large_object object = {.size = size, .usable = usable, .live = 1};
    if (usable < size)
        return NULL;
    bw_lock(&large->lock);
    bool made = make_room(large) && map(large, &object, alignment);
    /* Quarantined addresses count against the program's address space limit. */
    if (!made && evict_all(large))
        made = make_room(large) && map(large, &object, alignment);
    if (made) {
        fill_canary(heap, &object);
        insert(large, &object);
    }
    bw_unlock(&large->lock);
    return made ? (void *)object.address : NULL;
}

/* ---- finding and giving back ---- */

/* p is the start of no known object: says what it is instead. Takes the lock held, lets go. */
static _Noreturn void refuse(struct bw_large *large, const void *p, enum bw_intent intent)
{
    for (uint32_t i = 0; i < large->capacity; i++) {
        struct bw_large_object object = large->table[i];
        if (object.address != 0 && (uintptr_t)p - object.address < object.usable) {
            bw_unlock(&large->lock);
            bw_not_an_object(intent, p, object.size, object.live ? "live" : "quarantined",
                             "offset into the object", (uintptr_t)p - object.address);
        }
    }
    bw_unlock(&large->lock);
    bw_not_an_object(intent, p, BW_SIZE_UNKNOWN, "no object", NULL, 0);
}

static struct bw_large_object *lock_live(struct bw_heap *heap, const void *p, enum bw_intent intent)
{
    struct bw_large *large = &heap->large;
    bw_lock(&large->lock);
    struct bw_large_object *object = p == NULL ? NULL : find(large, (uintptr_t)p);
    if (object == NULL)
        refuse(large, p, intent);
    if (!object->live) {
        size_t size = object->size;
        bw_unlock(&large->lock);
        bw_freed_object(intent, p, size, "quarantined");
    }
    return object;
}

static void check_canary(struct bw_heap *heap, const struct bw_large_object *object)
{
    if (canary_intact(heap, object))
        return;
    struct bw_large_object copy = *object;
    bw_unlock(&heap->large.lock);
    size_t slack;
    const uint8_t *end = canary_end(&copy, &slack);
    const uint8_t *p = (const uint8_t *)copy.address;
    bw_fatal(&(struct bw_misuse){"overflow", p, copy.size, "live", "first changed byte at offset",
                                 bw_canary_first_damaged(heap->secret, p, end, slack)});
}

void bw_large_free(struct bw_heap *heap, void *p, const struct bw_claim *claim)
{
    struct bw_large *large = &heap->large;
    struct bw_large_object *object = lock_live(heap, p, BW_INTENT_FREE);
    if (claim != NULL) {
        size_t size = object->size;
        bw_unlock(&large->lock);
        bw_check_claim(claim, p, size, BW_CLASS_COUNT, bw_load_u32(&heap->spilled) != 0);
        object = lock_live(heap, p, BW_INTENT_FREE);
    }
    check_canary(heap, object);
    if (bw_policy_large_quarantine_objects == 0 ||
        object->usable > bw_policy_large_quarantine_max_bytes ||
        !bw_pages_decommit(p, object->usable)) {
        unmap(object);
        erase(large, object);
    } else {
        object->live = 0;
        if (large->quarantine_length == bw_policy_large_quarantine_objects)
            evict(large, bw_random_below(&large->random, large->quarantine_length));
        large->quarantine[large->quarantine_length++] = (uintptr_t)p;
    }
    bw_unlock(&large->lock);
}

size_t bw_large_size(struct bw_heap *heap, void *p, enum bw_intent intent)
{
    size_t size = lock_live(heap, p, intent)->size;
    bw_unlock(&heap->large.lock);
    return size;
}

bool bw_large_resize(struct bw_heap *heap, void *p, size_t size, size_t *ret_old)
{
    struct bw_large_object *object = lock_live(heap, p, BW_INTENT_REALLOC);
    *ret_old = object->size;
    check_canary(heap, object);
    bool same = size > BW_REQUEST_MAX && size <= PTRDIFF_MAX &&
                bw_round_up(size, bw_page_size()) == object->usable;
    if (same) {
        size_t slack;
        uint8_t *old_end = canary_end(object, &slack), *bytes = p;
        size_t from = size < object->size ? size : object->size;
        memset(bytes + from, 0, (size_t)(old_end - bytes) - from);
        object->size = size;
        fill_canary(heap, object);
    }
    bw_unlock(&heap->large.lock);
    return same;
}

/* Below so many pages the copy is cheaper than the system's work. */
enum { MOVE_PAGES_MIN = 16 };

/* A page that holds a canary is never whole: the canary starts where the object ends. The system
 * may refuse an object that was moved before and stands in two mappings: then it is copied. */
bool bw_large_move(void *to, void *from, size_t bytes)
{
    size_t page = bw_page_size(), whole = bytes - bytes % page;
    enum bw_moved moved =
        whole < MOVE_PAGES_MIN * page ? BW_NOT_MOVED : bw_pages_move(to, from, whole);
    if (moved == BW_MOVE_LOST)
        return false;
    if (moved == BW_NOT_MOVED)
        whole = 0;
    memcpy((uint8_t *)to + whole, (const uint8_t *)from + whole, bytes - whole);
    return true;
}

void bw_large_drop(struct bw_large *large)
{
    for (uint32_t i = 0; i < large->capacity; i++) {
        if (large->table[i].address != 0)
            unmap(&large->table[i]);
    }
    if (large->capacity != 0)
        table_drop(large->table, large->capacity);
    large->table = NULL;
    large->capacity = large->count = large->quarantine_length = 0;
}

bool bw_large_trim(struct bw_heap *heap)
{
    bw_lock(&heap->large.lock);
    bool any = evict_all(&heap->large);
    bw_unlock(&heap->large.lock);
    return any;
}

bool bw_large_check(struct bw_heap *heap, const char **ret_reason)
{
    struct bw_large *large = &heap->large;
    uint32_t count = 0, freed = 0;
    const char *reason = NULL;
    bw_lock(&large->lock);
    for (uint32_t i = 0; i < large->capacity && reason == NULL; i++) {
        struct bw_large_object *object = &large->table[i];
        if (object->address == 0)
            continue;
        count++;
        freed += !object->live;
        if (find(large, object->address) != object)
            reason = "metadata: a large object is in the wrong place of its table";
        else if (object->live && !canary_intact(heap, object))
            reason = "overflow: the canary of a large object is damaged";
    }
    if (reason == NULL && (count != large->count || freed != large->quarantine_length))
        reason = "metadata: the count of large objects is wrong";
    bw_unlock(&large->lock);
    if (reason != NULL)
        *ret_reason = reason;
    return reason == NULL;
}

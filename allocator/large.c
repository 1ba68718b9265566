#include "large.h"

#include "canary.h"
#include "memtag.h"
#include "pages.h"
#include "place.h"
#include "table.h"
#include "thread.h"

/* The random stream of large objects; classes use their index. */
enum { LARGE_NONCE = 1000 };

/* What bw_large_object.live says. Leaving: a thread is giving its pages back, outside of the lock.
 */
enum { QUARANTINED, LIVE, LEAVING };

void bw_large_start(struct bw_large *large, const struct bw_key *key)
{
    bw_lock_init(&large->lock);
    large->table = NULL;
    large->capacity = large->count = 0;
    large->quarantine_length = 0;
    large->spare_count = 0;
    large->spare_bytes = 0;
    bw_random_start(&large->random, key, LARGE_NONCE);
}

/* ---- quarantine of addresses ---- */

/* Takes entry `at` out of the quarantine; its addresses may be used again by anyone, once the
 * caller has given up the place. */
static struct bw_large_object evict(struct bw_large *large, uint32_t at)
{
    struct bw_large_object *object = bw_large_find(large, large->quarantine[at]);
    struct bw_large_object out = *object;
    large->quarantine[at] = large->quarantine[--large->quarantine_length];
    bw_large_erase(large, object);
    return out;
}

/* What is not the program's goes back to the system: all, or what counts against a limit of address
 * space, which places in the window do not. */
static bool give_back(struct bw_large *large, bool all)
{
    bool any = false;
    for (uint32_t i = large->quarantine_length; i-- > 0;) {
        if (!all && bw_large_find(large, large->quarantine[i])->cells != 0)
            continue;
        struct bw_large_object out = evict(large, i);
        bw_place_give_up(large, &out);
        any = true;
    }
    return bw_spare_drop(large) || any;
}

/* ---- the canary ---- */

static uint8_t *end_of(const struct bw_large_object *object)
{
    return (uint8_t *)object->address + object->usable;
}

/* None where no byte is readable. */
static size_t slack_of(const struct bw_large_object *object)
{
    return object->size == 0 ? 0 : object->usable - object->size;
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

/* ---- allocating ---- */

/* The place of an object that cannot be made, or is gone: closed, then anybody's. A place that
 * cannot be closed is lost. */
static void abandon(struct bw_large *large, const struct bw_large_object *object)
{
    bool closed = object->cells == 0 || bw_place_close(large, object);
    bw_lock(&large->lock);
    if (closed)
        bw_place_give_up(large, object);
    bw_unlock(&large->lock);
}

static bool is_usual(const struct bw_pages *pages, const struct bw_large_object *object,
                     size_t alignment)
{
    return alignment <= bw_page_size(pages) && object->size > BW_REQUEST_MAX;
}

/* One with the pages of an earlier object, or at least its place. */
static bool obtain_spare(struct bw_large *large, struct bw_large_object *object)
{
    size_t usable = object->usable;
    bw_lock(&large->lock);
    bool taken = bw_spare_take(large, object);
    bw_unlock(&large->lock);
    if (!taken)
        return false;
    if (bw_place_fit(large->pages, object, usable) &&
        (object->ready || bw_place_ready(large->pages, object, 1)))
        return true;
    abandon(large, object);
    return false;
}

static void choose(struct bw_large *large, struct bw_large_object *object, size_t alignment)
{
    /* A limit that came after the window was reserved would not be felt inside of it. */
    bool unlimited = bw_pages_limit(large->pages) == SIZE_MAX;
    bool tailed = unlimited && object->size > BW_REQUEST_MAX;
    object->tail = tailed ? (uint32_t)bw_place_tail(large->pages, object->usable) : 0;
    bw_lock(&large->lock);
    bw_place_choose(large, object, alignment, unlimited);
    bw_unlock(&large->lock);
}

static bool obtain_new(struct bw_large *large, struct bw_large_object *object, size_t alignment)
{
    choose(large, object, alignment);
    if (bw_place_ready(large->pages, object, alignment))
        return true;
    abandon(large, object);
    return false;
}

static bool add(struct bw_large *large, const struct bw_large_object *object)
{
    bw_lock(&large->lock);
    bool made = bw_large_make_room(large) || (give_back(large, true) && bw_large_make_room(large));
    if (made)
        bw_large_insert(large, object);
    bw_unlock(&large->lock);
    if (!made)
        abandon(large, object);
    return made;
}

/* More than a process can have: not worth asking the system for, nor giving anything up. */
#define ADDRESS_SPACE ((size_t)1 << 47)

static struct bw_large_object described(const struct bw_pages *pages, size_t size)
{
    return (struct bw_large_object){.size = size,
                                    .usable =
                                        bw_round_up(size == 0 ? 1 : size, bw_page_size(pages)),
                                    .live = LIVE};
}

static void *make(struct bw_heap *heap, size_t size, size_t alignment)
{
    struct bw_large *large = &heap->large;
    struct bw_large_object object = described(large->pages, size), start = object;
    if (size > ADDRESS_SPACE)
        return NULL;
    bool made = is_usual(large->pages, &object, alignment) && obtain_spare(large, &object);
    if (!made) {
        object = start;
        made = obtain_new(large, &object, alignment);
    }
    if (!made) {
        /* Quarantined addresses count against the program's address space limit. */
        bw_lock(&large->lock);
        bool any = give_back(large, false);
        bw_unlock(&large->lock);
        object = start;
        made = any && obtain_new(large, &object, alignment);
    }
    if (!made)
        return NULL;
    object.live = LIVE;
    fill_canary(heap, &object);
    return add(large, &object) ? (void *)object.address : NULL;
}

void *bw_large_alloc(struct bw_heap *heap, size_t size, size_t alignment)
{
    return bw_memtag_large(heap, make(heap, size, alignment), size);
}

/* ---- finding and giving back ---- */

/* p is the start of no known object: says what it is instead. Takes the lock held, lets go. */
static _Noreturn void refuse(struct bw_large *large, const void *p, enum bw_intent intent)
{
    for (uint32_t i = 0; i < large->capacity; i++) {
        struct bw_large_object object = large->table[i];
        if (object.address != 0 && (uintptr_t)p - object.address < object.usable) {
            bw_unlock(&large->lock);
            bw_not_an_object(intent, p, object.size, object.live == LIVE ? "live" : "quarantined",
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
    struct bw_large_object *object = p == NULL ? NULL : bw_large_find(large, (uintptr_t)p);
    if (object == NULL)
        refuse(large, p, intent);
    if (object->live != LIVE) {
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
    struct bw_misuse misuse = bw_overflow_of(heap->secret, p, copy.size, end, slack, NULL);
    bw_fatal(&misuse);
}

enum pages { STILL_THERE, MOVED, LOST };

/* The object is out of the program's hands: its pages, unless they were moved, become a spare or go
 * back, its addresses stay reserved and unreadable for a while. Takes the lock held, lets go. */
static void retire(struct bw_large *large, struct bw_large_object *entry, enum pages pages)
{
    struct bw_large_object object = *entry, pushed_out[bw_policy_large_spare_objects];
    struct bw_large_object spare = {.size = SIZE_MAX, .usable = object.usable, .tail = object.tail};
    bool lost = pages == LOST;
    entry->live = LEAVING;
    bool spared = pages == STILL_THERE && bw_spare_wanted(object.usable);
    if (spared)
        bw_place_choose(large, &spare, 1, true);
    spared = spared && spare.cells != 0;
    bw_unlock(&large->lock);
    if (spared) {
        bool went = bw_spare_fill(large->pages, &spare, &object, &lost);
        spared = spare.cells != 0 && (went || !lost); /* else its place is lost */
        lost = went && lost;
    }
    bool closed = !lost && bw_place_close(large, &object);
    bool keep = bw_policy_large_quarantine_objects != 0 && closed &&
                object.usable + (object.cells == 0 ? object.after : 0) <=
                    bw_policy_large_quarantine_max_bytes;

    unsigned out = 0;
    bw_lock(&large->lock);
    if (spared)
        out = bw_spare_add(large, &spare, pushed_out);
    entry = bw_large_find(large, object.address);
    if (keep) {
        if (large->quarantine_length == bw_policy_large_quarantine_objects) {
            struct bw_large_object evicted =
                evict(large, bw_random_below(&large->random, large->quarantine_length,
                                             BW_CHOICE_QUARANTINE));
            bw_place_give_up(large, &evicted);
            entry = bw_large_find(large, object.address);
        }
        entry->live = QUARANTINED;
        large->quarantine[large->quarantine_length++] = object.address;
    } else {
        bw_large_erase(large, entry);
        if (closed || (object.cells == 0 && !lost))
            bw_place_give_up(large, &object);
    }
    bw_unlock(&large->lock);
    while (out-- > 0)
        abandon(large, &pushed_out[out]);
}

/* That of an object of size 0 is not readable, and carries no tag. */
static void untag(const struct bw_heap *heap, const struct bw_large_object *object)
{
    if (object->size != 0)
        bw_memtag_end(heap, (void *)object->address, object->usable);
}

void bw_large_free(struct bw_heap *heap, void *p, const struct bw_claim *claim)
{
    struct bw_large_object *object = lock_live(heap, p, BW_INTENT_FREE);
    if (claim != NULL) {
        size_t size = object->size;
        bw_unlock(&heap->large.lock);
        bw_check_claim(claim, p, size, BW_CLASS_COUNT, bw_load_u32(&heap->spilled) != 0);
        object = lock_live(heap, p, BW_INTENT_FREE);
    }
    check_canary(heap, object);
    untag(heap, object);
    retire(&heap->large, object, STILL_THERE);
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
    struct bw_large_object before = *object, wanted = described(heap->pages, size);
    bool fits = size > BW_REQUEST_MAX && size <= PTRDIFF_MAX &&
                wanted.usable <= bw_place_room(heap->pages, object) &&
                bw_place_fit(heap->pages, object, wanted.usable);
    if (fits) {
        size_t slack;
        uint8_t *from = (uint8_t *)p + (size < before.size ? size : before.size);
        uint8_t *to = canary_end(&before, &slack);
        if (to > end_of(object))
            to = end_of(object);
        memset(from, 0, (size_t)(to - from));
        object->size = size;
        fill_canary(heap, object);
        bw_memtag_resize(heap, p, object->usable, size);
    }
    bw_unlock(&heap->large.lock);
    return fits;
}

/* Below so many bytes the copy is cheaper than the system's work. */
enum { MOVE_BYTES_MIN = 64 << 10 };

/* The content of `from`, which is leaving, at the place of `to`: moved there, or copied. */
static bool fill(struct bw_heap *heap, struct bw_large_object *to,
                 const struct bw_large_object *from, enum pages *ret_pages, bool *ret_place_lost)
{
    bool lost;
    const uint8_t *old = (const uint8_t *)from->address;
    uint8_t *bytes = (uint8_t *)to->address;
    if (bw_place_move(heap->pages, to, from, &lost)) {
        size_t slack;
        size_t end = (size_t)(canary_end(from, &slack) - old);
        memset(bytes + from->size, 0, end - from->size);
        *ret_pages = lost ? LOST : MOVED;
    } else {
        *ret_place_lost = lost;
        if (lost || !bw_place_ready(heap->pages, to, 1))
            return false;
        memcpy(bytes, old, from->size);
    }
    fill_canary(heap, to);
    return true;
}

/* The live object `from` grows into the new place of `to`. Both are in the table as ones that are
 * leaving until it is settled which of them is live: nobody looks at them meanwhile. */
static bool relocate(struct bw_heap *heap, const struct bw_large_object *from,
                     struct bw_large_object *to, enum pages *ret_pages)
{
    struct bw_large *large = &heap->large;
    bool place_lost = false;
    choose(large, to, 1);
    if (to->cells == 0)
        return false;
    to->live = LEAVING;
    if (!add(large, to))
        return false;
    bool filled = fill(heap, to, from, ret_pages, &place_lost);
    bool closed = filled || (!place_lost && bw_place_close(large, to));
    bw_lock(&large->lock);
    struct bw_large_object *entry = bw_large_find(large, to->address);
    if (filled) {
        *entry = *to;
        entry->live = LIVE;
    } else {
        bw_large_erase(large, entry);
        if (closed)
            bw_place_give_up(large, to);
    }
    bw_unlock(&large->lock);
    return filled;
}

void *bw_large_relocate(struct bw_heap *heap, void *p, size_t old, size_t size)
{
    struct bw_large *large = &heap->large;
    bool grows = old >= MOVE_BYTES_MIN && size > old && size <= ADDRESS_SPACE;
    struct bw_large_object *entry = lock_live(heap, p, BW_INTENT_REALLOC);
    struct bw_large_object from = *entry, to = described(heap->pages, size);
    if (grows)
        entry->live = LEAVING;
    bw_unlock(&large->lock);
    enum pages pages = STILL_THERE;
    bool relocated = grows && relocate(heap, &from, &to, &pages);
    void *result = (void *)to.address;
    if (!relocated) {
        if (grows) {
            bw_lock(&large->lock);
            bw_large_find(large, from.address)->live = LIVE;
            bw_unlock(&large->lock);
        }
        result = make(heap, size, 1);
        if (result == NULL)
            return NULL;
        memcpy(result, p, old < size ? old : size);
    }
    bw_lock(&large->lock);
    entry = bw_large_find(large, from.address);
    if (!relocated) {
        bw_unlock(&large->lock);
        entry = lock_live(heap, p, BW_INTENT_FREE);
    }
    if (pages == STILL_THERE)
        untag(heap, entry);
    retire(large, entry, pages);
    return bw_memtag_large(heap, result, size);
}

size_t bw_large_live_size(struct bw_heap *heap, const void *p)
{
    bw_lock(&heap->large.lock);
    const struct bw_large_object *object = bw_large_find(&heap->large, (uintptr_t)p);
    size_t size = object != NULL && object->live == LIVE ? object->size : 0;
    bw_unlock(&heap->large.lock);
    return size;
}

void bw_large_untag(struct bw_heap *heap)
{
    const struct bw_large *large = &heap->large;
    for (uint32_t i = 0; i < large->capacity && bw_memtags(heap) != NULL; i++)
        if (large->table[i].address != 0 && large->table[i].live == LIVE)
            untag(heap, &large->table[i]);
}

void bw_large_drop(struct bw_large *large)
{
    (void)bw_spare_drop(large);
    bool any = false;
    for (uint32_t i = 0; i < large->capacity; i++) {
        if (large->table[i].address == 0)
            continue;
        if (large->table[i].cells == 0)
            bw_place_give_up(large, &large->table[i]);
        any = true;
    }
    /* where they cannot be closed, the places are lost */
    if (any && large->window != 0 &&
        bw_pages_decommit(large->pages, (void *)large->window, BW_LARGE_WINDOW)) {
        bw_pages_label(large->pages, (void *)large->window, BW_LARGE_WINDOW, "bulwark large");
        memset(large->cells, 0, sizeof large->cells);
    }
    bw_large_table_drop(large);
    large->quarantine_length = 0;
}

bool bw_large_trim(struct bw_heap *heap)
{
    bw_lock(&heap->large.lock);
    bool any = give_back(&heap->large, true);
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
        freed += object->live == QUARANTINED;
        if (bw_large_find(large, object->address) != object)
            reason = "metadata: a large object is in the wrong place of its table";
        else if (object->live == LIVE && !canary_intact(heap, object))
            reason = "overflow: the canary of a large object is damaged";
    }
    if (reason == NULL && (count != large->count || freed != large->quarantine_length))
        reason = "metadata: the count of large objects is wrong";
    bw_unlock(&large->lock);
    if (reason != NULL)
        *ret_reason = reason;
    return reason == NULL;
}

bool bw_large_sweep(struct bw_heap *heap, struct bw_sweep *sweep)
{
    struct bw_large *large = &heap->large;
    if (!bw_trylock(&large->lock))
        return true;
    sweep->reason = NULL;
    for (uint32_t i = 0; i < large->capacity && sweep->reason == NULL; i++) {
        struct bw_large_object object = large->table[i];
        if (object.address == 0 || object.live != LIVE)
            continue;
        size_t slack;
        const uint8_t *end = canary_end(&object, &slack);
        if ((sweep->wary && !bw_pages_are_readable(heap->pages, end - slack, slack)) ||
            canary_intact(heap, &object))
            continue;
        sweep->misuse = bw_overflow_of(heap->secret, (const uint8_t *)object.address, object.size,
                                       end, slack, NULL);
        sweep->reason = "overflow: the canary of a large object is damaged";
    }
    bw_unlock(&large->lock);
    return sweep->reason == NULL;
}

void bw_large_count(struct bw_heap *heap, struct bw_statistics *statistics)
{
    struct bw_large *large = &heap->large;
    bw_lock(&large->lock);
    for (uint32_t i = 0; i < large->capacity; i++) {
        const struct bw_large_object *object = &large->table[i];
        if (object->address == 0 || object->live != LIVE)
            continue;
        statistics->large_objects++;
        statistics->large_bytes += object->usable;
    }
    bw_unlock(&large->lock);
}

bool bw_large_note(struct bw_heap *heap, const void *p, const struct bw_note *from,
                   struct bw_note *to)
{
    struct bw_large *large = &heap->large;
    bw_lock(&large->lock);
    struct bw_large_object *object = bw_large_find(large, (uintptr_t)p);
    bool live = object != NULL && object->live == LIVE;
    if (live && from != NULL)
        memcpy(object->notes, from, sizeof object->notes);
    if (live && to != NULL) {
        memcpy(to, object->notes, sizeof object->notes);
        if (bw_policy_sites)
            object->notes[0].freed_at[0] = bw_thread()->caller;
    }
    bw_unlock(&large->lock);
    return live;
}

bool bw_large_note_around(struct bw_heap *heap, const void *p, struct bw_note *to)
{
    const struct bw_large *large = &heap->large;
    for (uint32_t i = 0; i < large->capacity; i++) {
        const struct bw_large_object *object = &large->table[i];
        if (object->address == 0 || (uintptr_t)p - object->address >= object->usable)
            continue;
        memcpy(to, object->notes, sizeof object->notes);
        return BW_NOTES;
    }
    return false;
}

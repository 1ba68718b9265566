#include "place.h"

#include <string.h>

#include "pages.h"

/* ---- cells of the window ---- */

static bool cell_taken(const struct bw_large *large, uint32_t cell)
{
    return (large->cells[cell / 64] >> cell % 64 & 1) != 0;
}

static bool run_is_free(const struct bw_large *large, uint32_t first, uint32_t count)
{
    if (first + count > BW_LARGE_CELLS)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (cell_taken(large, first + i))
            return false;
    return true;
}

static void flip_run(struct bw_large *large, uint32_t first, uint32_t count)
{
    for (uint32_t cell = first; cell < first + count; cell++)
        large->cells[cell / 64] ^= 1ull << cell % 64;
}

/* ---- places ---- */

static uint32_t random_gap(struct bw_large *large)
{
    return (1 + bw_random_below(&large->random, bw_policy_large_guard_pages_max, BW_CHOICE_PLACE)) *
           (uint32_t)bw_page_size(large->pages);
}

/* Room to grow in place, and so that spares fit more sizes than one: sizes four per doubling. */
#define TAIL_MAX ((size_t)1 << 20)

size_t bw_place_tail(const struct bw_pages *pages, size_t usable)
{
    if (!bw_pages_can_move(pages))
        return 0;
    size_t step = (size_t)1 << (61 - __builtin_clzll(usable));
    if (step > TAIL_MAX)
        step = TAIL_MAX;
    size_t page = bw_page_size(pages);
    return bw_round_up(bw_round_up(usable, step), page) - usable + page;
}

enum { TRIALS = 8 };

void bw_place_choose(struct bw_large *large, struct bw_large_object *object, size_t alignment,
                     bool use_window)
{
    size_t page = bw_page_size(large->pages);
    /* A small object is here only because its class was full: address space is short. */
    bool spilled = object->size <= BW_REQUEST_MAX && alignment <= page;
    object->before = spilled ? (uint32_t)page : random_gap(large);
    object->after = (size_t)(spilled ? (uint32_t)page : random_gap(large)) + object->tail;
    object->address = 0;
    object->cells = 0;
    object->ready = 0;
    size_t extra = alignment > page ? alignment : 0;
    size_t total = object->before + object->usable + object->after;
    if (large->window == 0 || !use_window || object->usable > BW_LARGE_WINDOW / 4 ||
        extra > BW_LARGE_WINDOW / 4)
        return;
    uint32_t cells = (uint32_t)((total + extra + BW_LARGE_CELL - 1) / BW_LARGE_CELL);
    size_t spare = cells * BW_LARGE_CELL - total - extra;
    size_t shift = bw_random_64(&large->random, BW_CHOICE_PLACE) % (spare / page + 1) * page;
    for (int trial = 0; trial < TRIALS; trial++) {
        uint32_t first = (uint32_t)(bw_random_64(&large->random, BW_CHOICE_PLACE) % BW_LARGE_CELLS);
        if (!run_is_free(large, first, cells))
            continue;
        uintptr_t at = large->window + first * BW_LARGE_CELL + shift + object->before;
        object->address = bw_round_up(at, alignment > page ? alignment : page);
        object->first_cell = first;
        object->cells = cells;
        flip_run(large, first, cells);
        return;
    }
}

/* NULL where there is no room, or a sum wraps. */
static uint8_t *reserve_all(const struct bw_pages *pages, const struct bw_large_object *object,
                            size_t extra)
{
    size_t total = object->before + object->usable + object->after + extra;
    return total < object->usable ? NULL : bw_pages_reserve(pages, total);
}

/* Outside of the window: a mapping where the system likes, gaps and all; the least gaps where there
 * is no room for others. */
static bool reserve(const struct bw_pages *pages, struct bw_large_object *object, size_t alignment)
{
    size_t page = bw_page_size(pages), extra = alignment > page ? alignment : 0;
    uint8_t *start = reserve_all(pages, object, extra);
    if (start == NULL) {
        object->before = (uint32_t)page;
        object->after = (uint32_t)page + object->tail;
        start = reserve_all(pages, object, extra);
    }
    if (start == NULL)
        return false;
    uint8_t *p = start + object->before;
    if (alignment > page) {
        p = (uint8_t *)bw_round_up((uintptr_t)p, alignment);
        /* What the alignment left over goes back, so that both gaps keep their size. */
        size_t head = (size_t)(p - start) - object->before;
        if (head != 0)
            bw_pages_release(pages, start, head);
        bw_pages_release(pages, p + object->usable + object->after, alignment - head);
    }
    object->address = (uintptr_t)p;
    return true;
}

bool bw_place_ready(const struct bw_pages *pages, struct bw_large_object *object, size_t alignment)
{
    if (object->address == 0 && !reserve(pages, object, alignment))
        return false;
    bool short_of_it = bw_mutant(large_page_short) && object->usable > (1 << 20);
    size_t usable = object->usable - (short_of_it ? bw_page_size(pages) : 0);
    uint8_t *tail = (uint8_t *)object->address + usable;
    if (object->size == 0 && !bw_mutant(zero_readable)) { /* stays unreadable; it has no tail */
        object->ready = 1;
        return true;
    }
    if (!bw_pages_commit(pages, (void *)object->address, usable + object->tail))
        return false;
    if (object->tail != 0 && !bw_pages_guard_cheaply(pages, tail, object->tail)) {
        if (!bw_pages_decommit(pages, tail, object->tail))
            return false;
        object->tail = 0;
    }
    object->ready = 1;
    return true;
}

size_t bw_place_room(const struct bw_pages *pages, const struct bw_large_object *object)
{
    return object->usable + (object->tail != 0 ? object->tail - bw_page_size(pages) : 0);
}

static size_t span(const struct bw_large_object *object)
{
    return object->usable + object->tail;
}

/* Guards cost page tables: where the tail is much longer than one, the rest goes back to the
 * system. Also of an object that grows: the place of an earlier, longer one may have such a tail.
 */
static bool cut(const struct bw_pages *pages, struct bw_large_object *object, size_t usable)
{
    uint8_t *end = (uint8_t *)object->address + usable + TAIL_MAX;
    size_t bytes = span(object) - usable - TAIL_MAX;
    size_t more = usable > object->usable ? usable - object->usable : 0;
    uint8_t *old_end = (uint8_t *)object->address + object->usable;
    if (more != 0 && !bw_pages_unguard(pages, old_end, more))
        return false;
    if (!bw_pages_decommit(pages, end, bytes)) {
        if (more != 0)
            (void)bw_pages_guard_cheaply(pages, old_end, more);
        return false;
    }
    bw_pages_label(pages, end, bytes, "bulwark large");
    size_t old = object->usable < usable + TAIL_MAX ? object->usable : usable + TAIL_MAX;
    uint8_t *tail = (uint8_t *)object->address + usable;
    object->tail = TAIL_MAX;
    if (old > usable && !bw_pages_guard_cheaply(pages, tail, old - usable)) {
        /* there is no way back; what cannot even be closed is closed with the object */
        (void)bw_pages_decommit(pages, tail, TAIL_MAX);
        object->tail = 0;
    }
    return true;
}

bool bw_place_fit(const struct bw_pages *pages, struct bw_large_object *object, size_t usable)
{
    size_t old = object->usable, all = span(object);
    uint8_t *start = (void *)object->address;
    if (usable == old)
        return true;
    if (object->ready && object->tail == 0)
        return false;
    if (object->ready && all - usable > 2 * TAIL_MAX) {
        if (!cut(pages, object, usable))
            return false;
    } else if (object->tail != 0) {
        if (object->ready &&
            (usable < old ? !bw_pages_guard_cheaply(pages, start + usable, old - usable)
                          : !bw_pages_unguard(pages, start + old, usable - old)))
            return false;
        object->tail = (uint32_t)(all - usable);
    }
    object->after = object->after + old - usable;
    object->usable = usable;
    return true;
}

static bool is_one(const struct bw_pages *pages, const struct bw_large_object *object)
{
    return object->tail != 0 && bw_pages_are_one(pages, (void *)object->address, span(object));
}

static bool move(const struct bw_pages *pages, struct bw_large_object *to,
                 const struct bw_large_object *from, bool *ret_lost)
{
    to->ready = bw_pages_move(pages, (void *)to->address, span(to), (void *)from->address,
                              span(from), ret_lost);
    return to->ready;
}

bool bw_place_move(const struct bw_pages *pages, struct bw_large_object *to,
                   const struct bw_large_object *from, bool *ret_lost)
{
    uint8_t *tail = (uint8_t *)from->address + from->usable;
    *ret_lost = false;
    if (to->cells == 0 || to->tail == 0 || !is_one(pages, from) ||
        !bw_pages_unguard(pages, tail, from->tail))
        return false;
    if (!move(pages, to, from, ret_lost)) {
        (void)bw_pages_guard_cheaply(pages, tail, from->tail);
        return false;
    }
    tail = (uint8_t *)to->address + to->usable;
    if (!bw_pages_guard_cheaply(pages, tail, to->tail)) {
        if (!bw_pages_decommit(pages, tail, to->tail))
            to->after -= to->tail;
        to->tail = 0;
    }
    return true;
}

/* The cells of a place are closed as a whole, so that the kernel's page tables go with them. */
bool bw_place_close(const struct bw_large *large, const struct bw_large_object *object)
{
    if (bw_mutant(large_pages_kept)) {
        (void)bw_pages_unguard(large->pages, (uint8_t *)object->address + object->usable,
                               object->tail);
        return true;
    }
    if (object->cells == 0)
        return bw_pages_decommit(large->pages, (void *)object->address,
                                 object->usable + object->tail);
    uint8_t *start = (uint8_t *)large->window + object->first_cell * BW_LARGE_CELL;
    size_t bytes = object->cells * BW_LARGE_CELL;
    bool closed = bw_pages_decommit(large->pages, start, bytes);
    bw_pages_label(large->pages, start, bytes, "bulwark large");
    return closed;
}

void bw_place_give_up(struct bw_large *large, const struct bw_large_object *object)
{
    if (object->cells != 0)
        flip_run(large, object->first_cell, object->cells);
    else if (object->address != 0)
        bw_pages_release(large->pages, (void *)(object->address - object->before),
                         object->before + object->usable + object->after);
}

/* ---- spares ---- */

static struct bw_large_object forget(struct bw_large *large, uint32_t at)
{
    struct bw_large_object out = large->spares[at];
    large->spare_bytes -= out.usable;
    large->spare_count--;
    memmove(&large->spares[at], &large->spares[at + 1],
            (large->spare_count - at) * sizeof large->spares[0]);
    return out;
}

bool bw_spare_take(struct bw_large *large, struct bw_large_object *object)
{
    uint32_t best = large->spare_count;
    size_t best_distance = object->usable / 2;
    for (uint32_t i = 0; i < large->spare_count; i++) {
        size_t bytes = large->spares[i].usable;
        size_t distance = bytes < object->usable ? object->usable - bytes : bytes - object->usable;
        if (distance < best_distance &&
            bw_place_room(large->pages, &large->spares[i]) >= object->usable) {
            best = i;
            best_distance = distance;
        }
    }
    if (best == large->spare_count)
        return false;
    struct bw_large_object spare = forget(large, best);
    spare.size = object->size;
    *object = spare;
    return true;
}

bool bw_spare_wanted(size_t usable)
{
    return bw_policy_large_spare_objects != 0 && usable <= bw_policy_large_spare_bytes;
}

/* What a program asked of its pages - that they be read-only, locked, not there in a child process,
 * not in a core dump - must not be found by the next object, nor by memset. It splits the mapping
 * between the object and its tail, which nobody but the allocator speaks of: such an object gives
 * its pages back.
 *
 * The place is a spare all the same, so that in a deterministic heap addresses depend on calls
 * alone. */
bool bw_spare_fill(const struct bw_pages *pages, struct bw_large_object *spare,
                   const struct bw_large_object *from, bool *ret_lost)
{
    *ret_lost = false;
    if (!bw_pages_are_in_memory(pages, (void *)from->address, from->usable) ||
        !is_one(pages, from) || !move(pages, spare, from, ret_lost))
        return false;
    if (!bw_pages_clear(pages, (void *)spare->address, spare->usable)) {
        spare->ready = 0;
        if (!bw_pages_decommit(pages, (void *)spare->address, span(spare)))
            spare->cells = 0;
    }
    return true;
}

unsigned bw_spare_add(struct bw_large *large, const struct bw_large_object *spare,
                      struct bw_large_object ret_out[bw_policy_large_spare_objects])
{
    unsigned out = 0;
    while (large->spare_count == bw_policy_large_spare_objects ||
           (large->spare_count != 0 &&
            large->spare_bytes + spare->usable > bw_policy_large_spare_bytes))
        ret_out[out++] = forget(large, 0);
    large->spares[large->spare_count++] = *spare;
    large->spare_bytes += spare->usable;
    return out;
}

bool bw_spare_drop(struct bw_large *large)
{
    bool any = large->spare_count != 0;
    while (large->spare_count != 0) {
        struct bw_large_object out = forget(large, large->spare_count - 1);
        if (!out.ready || bw_place_close(large, &out))
            bw_place_give_up(large, &out);
    }
    return any;
}

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
           (uint32_t)bw_page_size();
}

enum { TRIALS = 8 };

void bw_place_choose(struct bw_large *large, struct bw_large_object *object, size_t alignment,
                     bool use_window)
{
    size_t page = bw_page_size();
    /* A small object is here only because its class was full: address space is short. */
    bool spilled = object->size <= BW_REQUEST_MAX && alignment <= page;
    object->before = spilled ? (uint32_t)page : random_gap(large);
    object->after = spilled ? (uint32_t)page : random_gap(large);
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

/* Outside of the window: a mapping where the system likes, gaps and all. */
static bool reserve(struct bw_large_object *object, size_t alignment)
{
    size_t page = bw_page_size();
    size_t total =
        object->before + object->usable + object->after + (alignment > page ? alignment : 0);
    uint8_t *start = total < object->usable ? NULL : bw_pages_reserve(total);
    if (start == NULL)
        return false;
    uint8_t *p = start + object->before;
    if (alignment > page) {
        p = (uint8_t *)bw_round_up((uintptr_t)p, alignment);
        /* What the alignment left over goes back, so that both gaps keep their size. */
        size_t head = (size_t)(p - start) - object->before;
        if (head != 0)
            bw_pages_release(start, head);
        bw_pages_release(p + object->usable + object->after, alignment - head);
    }
    object->address = (uintptr_t)p;
    return true;
}

bool bw_place_ready(struct bw_large_object *object, size_t alignment)
{
    if (object->address == 0 && !reserve(object, alignment))
        return false;
    bool short_of_it = bw_mutant(large_page_short) && object->usable > (1 << 20);
    if (!bw_pages_commit((void *)object->address,
                         object->usable - (short_of_it ? bw_page_size() : 0)))
        return false;
    object->ready = 1;
    return true;
}

bool bw_place_close(const struct bw_large_object *object)
{
    return bw_mutant(large_pages_kept) ||
           bw_pages_decommit((void *)object->address, object->usable);
}

void bw_place_give_up(struct bw_large *large, const struct bw_large_object *object)
{
    if (object->cells != 0)
        flip_run(large, object->first_cell, object->cells);
    else if (object->address != 0)
        bw_pages_release((void *)(object->address - object->before),
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
    size_t best_bytes = 2 * object->usable;
    for (uint32_t i = 0; i < large->spare_count; i++) {
        size_t bytes = large->spares[i].usable;
        if (bytes >= object->usable && bytes < best_bytes) {
            best = i;
            best_bytes = bytes;
        }
    }
    if (best == large->spare_count)
        return false;
    struct bw_large_object spare = forget(large, best);
    spare.size = object->size;
    spare.after += (uint32_t)(spare.usable - object->usable);
    spare.excess = (uint32_t)(spare.usable - object->usable);
    spare.usable = object->usable;
    *object = spare;
    return true;
}

bool bw_spare_trim(struct bw_large_object *object)
{
    uint32_t excess = object->excess;
    object->excess = 0;
    if (!object->ready || excess == 0 ||
        bw_pages_decommit((uint8_t *)object->address + object->usable, excess))
        return true;
    object->usable += excess;
    object->after -= excess;
    return false;
}

bool bw_spare_wanted(size_t usable)
{
    return bw_policy_large_spare_objects != 0 && usable <= bw_policy_large_spare_bytes;
}

/* The pages come with all that the program asked of their mapping, which must not be found by the
 * next object, nor by memset. An object in several mappings gives its pages back, as one does that
 * the program locked in memory.
 *
 * With a smaller share of its pages in memory an object's pages go back: clearing the others would
 * bring them in. The place is a spare all the same, so that in a deterministic heap addresses
 * depend on calls alone. */
enum { DENSE_SHARE = 4 };

void bw_spare_fill(struct bw_large_object *spare, const struct bw_large_object *from)
{
    void *to = (void *)spare->address, *pages = (void *)from->address;
    size_t count = from->usable / bw_page_size();
    size_t resident = spare->cells == 0 ? 0 : bw_pages_resident(pages, from->usable);
    if (spare->cells == 0 || resident * DENSE_SHARE < count ||
        !bw_pages_are_one(pages, from->usable))
        return;
    spare->ready = bw_pages_move(to, pages, from->usable) &&
                   bw_pages_make_plain(to, from->usable, resident == count);
    if (spare->ready)
        memset(to, 0, from->usable);
    else
        (void)bw_pages_decommit(to, from->usable);
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
        if (!out.ready || out.cells == 0 || bw_place_close(&out))
            bw_place_give_up(large, &out);
    }
    return any;
}

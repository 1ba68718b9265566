/* A provider of pages out of one piece of memory that is the caller's, without a system call: for
 * an enclave, or a program that may make none. Nothing there can be made unreadable: there are no
 * guards, objects of size 0 can be read, and the provider clears what it commits. Ranges stand at
 * random places of the region. */
#include <string.h>

#include "bulwark.h"
#include "bw_sync.h"
#include "pages.h"
#include "random.h"

enum { FIXED_PAGE = 1 << BW_PAGE_SHIFT_MIN, FIXED_NONCE = 4000 };

struct fixed {
    struct bw_pages pages; /* first: the functions get its address */
    uint8_t *start;
    size_t count, size; /* pages, bytes */
    struct bw_key key;
    struct bw_lock *lock; /* of what follows, and of the random numbers */
    struct bw_random *random;
    uint64_t *taken; /* a bit per page */
};

/* What changes stands beside, so that the functions may take a constant provider. */
struct state {
    struct fixed fixed;
    struct bw_lock lock;
    struct bw_random random;
    uint64_t taken[];
};

static const struct fixed *of(const struct bw_pages *pages)
{
    return (const struct fixed *)pages;
}

static bool is_taken(const struct fixed *fixed, size_t page)
{
    return (fixed->taken[page / 64] >> page % 64 & 1) != 0;
}

static void mark(const struct fixed *fixed, size_t first, size_t count, bool taken)
{
    for (size_t page = first; page < first + count; page++) {
        uint64_t bit = 1ull << page % 64;
        if (taken)
            fixed->taken[page / 64] |= bit;
        else
            fixed->taken[page / 64] &= ~bit;
    }
}

/* The first run of free pages in [from, to), or `to`. */
static size_t find_run(const struct fixed *fixed, size_t from, size_t to, size_t count)
{
    size_t run = 0;
    for (size_t page = from; page < to; page++) {
        if (page % 64 == 0 && fixed->taken[page / 64] == UINT64_MAX) {
            page += 63;
            run = 0;
            continue;
        }
        run = is_taken(fixed, page) ? 0 : run + 1;
        if (run == count)
            return page + 1 - count;
    }
    return to;
}

static size_t fixed_page_size(const struct bw_pages *pages)
{
    (void)pages;
    return FIXED_PAGE;
}

static void *fixed_reserve(const struct bw_pages *pages, void *at, size_t bytes)
{
    const struct fixed *fixed = of(pages);
    size_t count = bytes / FIXED_PAGE;
    if (at != NULL || count == 0 || count > fixed->count)
        return NULL;
    bw_lock(fixed->lock);
    size_t from = bw_random_64(fixed->random, BW_CHOICE_PLACE) % (fixed->count - count + 1);
    size_t first = find_run(fixed, from, fixed->count, count);
    if (first == fixed->count)
        first = find_run(fixed, 0, fixed->count, count);
    bool found = first != fixed->count;
    if (found)
        mark(fixed, first, count, true);
    bw_unlock(fixed->lock);
    return found ? fixed->start + first * FIXED_PAGE : NULL;
}

static void fixed_release(const struct bw_pages *pages, void *p, size_t bytes)
{
    const struct fixed *fixed = of(pages);
    size_t first = (size_t)((uint8_t *)p - fixed->start) / FIXED_PAGE;
    bw_lock(fixed->lock);
    mark(fixed, first, bytes / FIXED_PAGE, false);
    bw_unlock(fixed->lock);
}

static bool fixed_clear(const struct bw_pages *pages, void *p, size_t bytes)
{
    (void)pages;
    memset(p, 0, bytes);
    return true;
}

static size_t fixed_limit(const struct bw_pages *pages)
{
    return of(pages)->size;
}

static void fixed_entropy(const struct bw_pages *pages, void *to, size_t bytes)
{
    const struct fixed *fixed = of(pages);
    uint8_t *at = to;
    bw_lock(fixed->lock);
    for (; bytes != 0; bytes--)
        *at++ = (uint8_t)bw_random_below(fixed->random, 256, BW_CHOICE_SECRET);
    bw_unlock(fixed->lock);
}

const struct bw_pages *bw_fixed_pages(void *memory, size_t bytes, const uint8_t seed[32])
{
    uintptr_t from = bw_round_up((uintptr_t)memory, FIXED_PAGE);
    size_t lost = from - (uintptr_t)memory;
    if (memory == NULL || bytes < lost || bytes > PTRDIFF_MAX)
        return NULL;
    size_t count = (bytes - lost) / FIXED_PAGE;
    size_t own = sizeof(struct state) + (count + 63) / 64 * sizeof(uint64_t);
    size_t own_pages = bw_round_up(own + BW_PAGES_REACH, FIXED_PAGE) / FIXED_PAGE;
    if (count <= own_pages)
        return NULL;
    struct state *state = (struct state *)from;
    memset(state, 0, own);
    struct fixed *fixed = &state->fixed;
    fixed->pages = (struct bw_pages){.page_size = fixed_page_size,
                                     .reserve = fixed_reserve,
                                     .release = fixed_release,
                                     .commit = fixed_clear,
                                     .decommit = fixed_clear,
                                     .purge = fixed_clear,
                                     .limit = fixed_limit,
                                     .entropy = fixed_entropy};
    fixed->start = (uint8_t *)from;
    fixed->count = count;
    fixed->size = count * FIXED_PAGE;
    fixed->lock = &state->lock;
    fixed->random = &state->random;
    fixed->taken = state->taken;
    memcpy(fixed->key.words, seed, sizeof fixed->key.words);
    bw_lock_init(&state->lock);
    bw_random_start(&state->random, &fixed->key, FIXED_NONCE);
    mark(fixed, 0, own_pages, true);
    return &fixed->pages;
}

/* Making, resetting and ending heaps; what all of them do around fork() and
 * at the end of a thread. */
#include "heap.h"

#include <pthread.h>
#include <string.h>

#include "cache.h"
#include "large.h"
#include "pages.h"
#include "slab.h"
#include "thread.h"

/* Address space per class: half of it the class's region, at a random place in it. ThreadSanitizer
 * leaves little address space to the program. */
#if defined(__SANITIZE_THREAD__)
enum { CLASS_SHIFT_MAX = BW_FLAT ? BW_CLASS_SHIFT_MAX : 30 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { CLASS_SHIFT_MAX = BW_FLAT ? BW_CLASS_SHIFT_MAX : 30 };
#else
enum { CLASS_SHIFT_MAX = BW_CLASS_SHIFT_MAX };
#endif
#else
enum { CLASS_SHIFT_MAX = BW_CLASS_SHIFT_MAX };
#endif
enum { CLASS_SHIFT_MIN = BW_CLASS_SHIFT_MIN, SMALL_SHIFT = 30 };

/* The random streams beside those of the classes. */
enum { LAYOUT_NONCE = 2000, SECRET_NONCE = 2001, WINDOW_NONCE = 2002 };

static struct bw_lock list_lock;
static struct bw_heap *all_heaps;

static bool cpu_has_bit_instructions(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    return __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

/* Where address space is short and has to be reserved, the slab regions take a third of it at most,
 * and below SMALL_SHIFT no part of it is spent on random placement. NEEDSWORK: a program whose
 * objects are all of one size then has the use of a fraction of that third (its class, what spills
 * into larger classes, and single mappings); regions made of chunks that any class can take would
 * give it all. */
static unsigned first_shift(const struct bw_pages *pages)
{
    size_t limit = bw_pages_limit(pages);
    unsigned shift = CLASS_SHIFT_MAX;
    if (limit == SIZE_MAX)
        return shift;
    while (shift > CLASS_SHIFT_MIN && ((size_t)BW_CLASS_COUNT << shift) > limit / 3)
        shift--;
    return shift;
}

/* How a heap is laid out: the slab regions, and apart from them heap and records. */
struct layout {
    const struct bw_pages *pages;
    struct bw_random random;
    unsigned shift; /* of a region */
    bool small;     /* too small for random places */
    size_t gaps[BW_CLASS_COUNT], records[BW_CLASS_COUNT];
    size_t before_heap, heap_bytes, meta_bytes, slab_bytes;
};

/* Unreadable bytes between parts of the metadata: a page, and a random number of them. */
static size_t random_gap(struct layout *layout)
{
    size_t page = bw_page_size(layout->pages);
    if (layout->small)
        return bw_pages_have_guards(layout->pages) ? page : 0;
    return page + bw_random_below(&layout->random, 1 << 16, BW_CHOICE_LAYOUT) * page;
}

/* Sets slab_max for a region of `bytes`, and returns the bytes of the class's records. */
static size_t size_class_region(struct bw_class *class, size_t bytes, size_t page)
{
    class->slab_max = (uint32_t)(bytes / class->stride);
    return bw_round_up((size_t)(class->slab_max) * class->meta_stride, page);
}

static size_t region_bytes(const struct layout *layout)
{
    return (size_t)1 << (layout->small ? layout->shift : layout->shift - 1);
}

static void plan(struct layout *layout, const struct bw_pages *pages, unsigned shift,
                 const struct bw_key *key)
{
    size_t page = bw_page_size(pages);
    struct bw_class shape;
    layout->pages = pages;
    layout->shift = shift;
    layout->small = shift < SMALL_SHIFT;
    bw_random_start(&layout->random, key, LAYOUT_NONCE);
    size_t reach = bw_round_up(BW_PAGES_REACH, page);
    layout->before_heap = reach + random_gap(layout);
    layout->heap_bytes = bw_round_up(sizeof(struct bw_heap), page);
    layout->meta_bytes = layout->before_heap + layout->heap_bytes;
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++) {
        bw_slab_geometry(&shape, i, pages);
        layout->records[i] = size_class_region(&shape, region_bytes(layout), page);
        layout->gaps[i] = random_gap(layout);
        layout->meta_bytes += layout->gaps[i] + layout->records[i];
    }
    layout->meta_bytes += reach;
    layout->slab_bytes = (size_t)BW_CLASS_COUNT << shift;
}

/* Lays the heap out: its record at meta + before_heap is committed already. */
static struct bw_heap *lay_out(struct layout *layout, uint8_t *meta, uint8_t *slabs, bool sparse)
{
    size_t page = bw_page_size(layout->pages);
    struct bw_heap *heap = (struct bw_heap *)(meta + layout->before_heap);
    heap->pages = heap->large.pages = layout->pages;
    heap->sparse = sparse;
    heap->reserved = meta;
    heap->reserved_bytes = layout->meta_bytes;
    heap->slab_start = slabs;
    heap->slab_reserved = layout->slab_bytes;
    heap->class_shift = layout->shift;
    uint8_t *at = (uint8_t *)heap + layout->heap_bytes;
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++) {
        struct bw_class *class = &heap->classes[i];
        bw_slab_geometry(class, i, layout->pages);
        (void)size_class_region(class, region_bytes(layout), page);
        class->meta = at + layout->gaps[i];
        at = class->meta + layout->records[i];
        size_t spare = ((size_t)1 << layout->shift) - (size_t)(class->slab_max) * class->stride;
        size_t shifted =
            layout->small ? 0
                          : bw_random_64(&layout->random, BW_CHOICE_LAYOUT) % (spare / page) * page;
        class->base = slabs + ((size_t)i << layout->shift) + shifted;
    }
    return heap;
}

/* All address space at once. Returns NULL where there is no room. */
static struct bw_heap *reserve(struct layout *layout)
{
    const struct bw_pages *pages = layout->pages;
    uint8_t *meta = bw_pages_reserve(pages, layout->meta_bytes);
    if (meta == NULL)
        return NULL;
    uint8_t *slabs = bw_pages_reserve(pages, layout->slab_bytes);
    if (slabs == NULL || !bw_pages_commit(pages, meta + layout->before_heap, layout->heap_bytes)) {
        if (slabs != NULL)
            bw_pages_release(pages, slabs, layout->slab_bytes);
        bw_pages_release(pages, meta, layout->meta_bytes);
        return NULL;
    }
    bw_pages_label(pages, meta, layout->meta_bytes, "bulwark metadata");
    bw_pages_label(pages, slabs, layout->slab_bytes, "bulwark slabs");
    return lay_out(layout, meta, slabs, false);
}

/* Under an address space limit, which counts what is reserved: nothing is, but the addresses are
 * the same lot, in a part of the address space where the system puts nothing by itself; what grows
 * finds out whether its place is free. Lanes keep heaps out of each other's way. */
enum { LANES = 4, LANE_SHIFT = 42 };
#define LANE_START ((uintptr_t)16 << 40)

static struct bw_heap *lay_out_sparse(struct layout *layout)
{
    const struct bw_pages *pages = layout->pages;
    size_t page = bw_page_size(pages), lane = (size_t)1 << LANE_SHIFT;
    size_t bytes = layout->meta_bytes + layout->slab_bytes;
    static uint64_t heaps;
    uint64_t chosen;
    if (bytes >= lane)
        return NULL;
    bw_pages_entropy(pages, &chosen, sizeof chosen);
    uintptr_t start = LANE_START + bw_next_u64(&heaps) % LANES * lane;
    uint8_t *meta = (uint8_t *)(start + chosen % ((lane - bytes) / page) * page);
    if (!bw_pages_extend(pages, meta + layout->before_heap, layout->heap_bytes, true))
        return NULL;
    bw_pages_label(pages, meta + layout->before_heap, layout->heap_bytes, "bulwark metadata");
    return lay_out(layout, meta, meta + layout->meta_bytes, true);
}

/* ThreadSanitizer does not let a program map where it likes. */
static bool may_map_anywhere(void)
{
    return (int)CLASS_SHIFT_MAX > (int)SMALL_SHIFT;
}

static struct bw_heap *obtain(const struct bw_pages *pages, const struct bw_key *key)
{
    struct layout layout;
    struct bw_heap *heap = NULL;
    if (bw_pages_limit(pages) != SIZE_MAX && may_map_anywhere()) {
        plan(&layout, pages, CLASS_SHIFT_MAX, key);
        heap = lay_out_sparse(&layout);
    }
    for (unsigned shift = first_shift(pages); heap == NULL && shift >= CLASS_SHIFT_MIN; shift--) {
        plan(&layout, pages, shift, key);
        heap = reserve(&layout);
    }
    return heap;
}

enum { WINDOW_TRIALS = 8 };

/* Where large objects go: far below what the system gives out by itself, and where it gives out
 * nothing. Not from the seed, so that two heaps of one seed keep out of each other's way (where
 * choices are given it is one of them); places in the window do come from it. 0 under an address
 * space limit or where it cannot be had. */
static uintptr_t reserve_window(const struct bw_pages *pages, const struct bw_key *key)
{
    uint16_t gigabytes = 0;
    struct bw_random random;
    bw_random_start(&random, key, WINDOW_NONCE);
    if (!bw_policy_large_random_place || !may_map_anywhere() || bw_pages_limit(pages) != SIZE_MAX)
        return 0;
    for (int trial = 0; trial < WINDOW_TRIALS; trial++) {
        if (key->choices == NULL)
            bw_pages_entropy(pages, &gigabytes, sizeof gigabytes);
        else if (trial == 0)
            gigabytes = (uint16_t)bw_random_below(&random, 1 << 16, BW_CHOICE_LAYOUT);
        else /* which places are free is no choice: there is one, whatever comes of it */
            gigabytes += 2 * (uint16_t)(BW_LARGE_WINDOW >> 30);
        uintptr_t window = ((uintptr_t)32 << 40) + ((uintptr_t)gigabytes << 30);
        if (bw_pages_reserve_at(pages, (void *)window, BW_LARGE_WINDOW) != NULL) {
            bw_pages_label(pages, (void *)window, BW_LARGE_WINDOW, "bulwark large");
            return window;
        }
    }
    return 0;
}

static void start(struct bw_heap *heap)
{
    struct bw_random random;
    bw_random_start(&random, &heap->key, SECRET_NONCE);
    heap->secret = bw_random_64(&random, BW_CHOICE_SECRET);
    heap->spilled = 0;
}

static void choose_key(const struct bw_pages *pages, struct bw_key *key, bool deterministic,
                       uint64_t seed)
{
    if (deterministic)
        bw_random_key_from_seed(key, seed);
    else
        bw_pages_entropy(pages, key->words, sizeof key->words);
}

/* A flat heap is nobody's but its maker's: nothing outside of its memory knows it. */
static void enlist(struct bw_heap *heap)
{
    if (BW_FLAT)
        return;
    bw_lock(&list_lock);
    heap->next = all_heaps;
    all_heaps = heap;
    bw_unlock(&list_lock);
}

static void strike(struct bw_heap *heap)
{
    if (BW_FLAT)
        return;
    bw_lock(&list_lock);
    struct bw_heap **at = &all_heaps;
    while (*at != heap)
        at = &(*at)->next;
    *at = heap->next;
    bw_unlock(&list_lock);
}

struct bw_heap *bw_heap_make(const struct bw_config *config)
{
    struct bw_key key = {.choices = config->choices};
    bool deterministic = config->deterministic || config->choices != NULL;
    const struct bw_pages *pages = config->pages == NULL ? &bw_system_pages : config->pages;
    if (BW_FLAT && config->pages == NULL)
        return NULL;
    choose_key(pages, &key, deterministic, config->seed);
    struct bw_heap *heap = obtain(pages, &key);
    if (heap == NULL)
        return NULL;
    static uint64_t serials;
    heap->serial = bw_next_u64(&serials);
    heap->deterministic = deterministic;
    heap->bit_instructions = cpu_has_bit_instructions();
    heap->key = key;
    heap->tags = config->tags;
    start(heap);
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++)
        bw_slab_start(&heap->classes[i], &heap->key, i);
    bw_large_start(&heap->large, &heap->key);
    heap->large.window = reserve_window(pages, &heap->key);
    enlist(heap);
    if (BW_FLAT && bw_cache_find(heap) == NULL) { /* nothing is made later */
        bw_heap_destroy(heap);
        return NULL;
    }
    return heap;
}

void bw_heap_reset(struct bw_heap *heap, uint64_t seed)
{
    choose_key(heap->pages, &heap->key, heap->deterministic, seed);
    start(heap);
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++) {
        struct bw_class *class = &heap->classes[i];
        if (class->carved == 0)
            continue;
        bw_slab_untag(heap, class);
        bw_slab_reset(heap->pages, class);
        bw_slab_start(class, &heap->key, i);
    }
    heap->kept_more = 0;
    bw_cache_reset(heap);
    bw_large_untag(heap);
    bw_large_drop(&heap->large);
    bw_large_start(&heap->large, &heap->key);
}

/* What is between its parts is not the heap's. */
static void release_sparse(struct bw_heap *heap)
{
    const struct bw_pages *pages = heap->pages;
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++) {
        struct bw_class *class = &heap->classes[i];
        if (class->committed != 0)
            bw_pages_release(pages, class->base, class->committed);
        if (class->meta_committed != 0)
            bw_pages_release(pages, class->meta, class->meta_committed);
    }
    bw_pages_release(pages, heap, bw_round_up(sizeof *heap, bw_page_size(pages)));
}

void bw_heap_destroy(struct bw_heap *heap)
{
    if (heap == NULL)
        return;
    strike(heap);
    bw_cache_drop(heap);
    bw_large_drop(&heap->large);
    const struct bw_pages *pages = heap->pages;
    if (heap->large.window != 0)
        bw_pages_release(pages, (void *)heap->large.window, BW_LARGE_WINDOW);
    if (heap->sparse) {
        release_sparse(heap);
        return;
    }
    bw_pages_release(pages, heap->slab_start, heap->slab_reserved);
    bw_pages_release(pages, heap->reserved, heap->reserved_bytes);
}

bool bw_heap_check(struct bw_heap *heap, const char **ret_reason)
{
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++) {
        if (!bw_slab_check(heap, &heap->classes[i], ret_reason))
            return false;
    }
    return bw_large_check(heap, ret_reason);
}

void bw_heap_statistics(struct bw_heap *heap, struct bw_statistics *ret_statistics)
{
    *ret_statistics = (struct bw_statistics){0};
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++)
        bw_slab_count(heap, &heap->classes[i], ret_statistics);
    bw_large_count(heap, ret_statistics);
}

void bw_heap_sweep_for(struct bw_heap *heap, size_t budget, const char *seen)
{
    struct bw_sweep sweep = {.settled = true, .wary = true, .budget = budget};
    bool sound = true;
    for (int part = BW_SWEEP_QUARANTINE; part <= BW_SWEEP_SLOTS; part++)
        for (unsigned i = 0; i < BW_CLASS_COUNT && sound && sweep.budget != 0; i++)
            sound = bw_slab_sweep(heap, &heap->classes[i], (enum bw_sweep_part)part, &sweep);
    sound = sound && bw_large_sweep(heap, &sweep);
    if (sound || sweep.misuse.rule == NULL)
        return;
    sweep.misuse.seen = seen;
    bw_fatal(&sweep.misuse);
}

/* ---- fork: the child must find every lock free and every heap consistent ---- */

static void fork_prepare(void)
{
    bw_lock_for_fork(&list_lock);
    for (struct bw_heap *heap = all_heaps; heap != NULL; heap = heap->next) {
        bw_lock_for_fork(&heap->cache_lock);
        for (unsigned i = 0; i < BW_CLASS_COUNT; i++)
            bw_lock_for_fork(&heap->classes[i].lock);
        bw_lock_for_fork(&heap->large.lock);
    }
    bw_thread()->forking = true;
}

static void fork_release(void)
{
    bw_thread()->forking = false;
    for (struct bw_heap *heap = all_heaps; heap != NULL; heap = heap->next) {
        bw_unlock_after_fork(&heap->cache_lock);
        for (unsigned i = 0; i < BW_CLASS_COUNT; i++)
            bw_unlock_after_fork(&heap->classes[i].lock);
        bw_unlock_after_fork(&heap->large.lock);
    }
    bw_unlock_after_fork(&list_lock);
}

/* Parent and child must not draw the same numbers. The secret stays: live objects carry it. */
static void fork_child(void)
{
    for (struct bw_heap *heap = all_heaps; heap != NULL; heap = heap->next) {
        heap->forked = true;
        bw_cache_forget_others(heap);
        if (heap->deterministic)
            continue;
        choose_key(heap->pages, &heap->key, false, 0);
        for (unsigned i = 0; i < BW_CLASS_COUNT; i++)
            bw_random_start(&heap->classes[i].random, &heap->key, i);
        bw_random_start(&heap->large.random, &heap->key, heap->large.random.nonce);
        bw_cache_restart(heap);
    }
    fork_release();
}

/* ---- the end of a thread ---- */

static pthread_key_t exit_key;
static bool exit_key_made;

/* Destructors of other keys run after this one, and then the C library frees what it kept for the
 * thread. The caches serve the former (this one asks to be run once more), not the latter: a cache
 * found then would never be left. */
static void thread_ends(void *self)
{
    struct bw_thread *thread = bw_thread();
    if (!thread->ending) {
        thread->ending = true;
        if (pthread_setspecific(exit_key, self) == 0)
            return;
    }
    thread->ended = true;
    thread->serial = 0;
    bw_lock(&list_lock);
    for (struct bw_heap *heap = all_heaps; heap != NULL; heap = heap->next)
        bw_cache_leave(heap);
    bw_unlock(&list_lock);
}

void bw_heap_watch_thread(void)
{
    struct bw_thread *thread = bw_thread();
    if (!exit_key_made || thread->watched)
        return;
    thread->watched = true;
    (void)pthread_setspecific(exit_key, thread);
}

__attribute__((constructor)) static void register_handlers(void)
{
    (void)pthread_atfork(fork_prepare, fork_release, fork_child);
    exit_key_made = pthread_key_create(&exit_key, thread_ends) == 0;
}

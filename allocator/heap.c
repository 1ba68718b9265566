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
enum { CLASS_SHIFT_MAX = 30 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { CLASS_SHIFT_MAX = 30 };
#else
enum { CLASS_SHIFT_MAX = 36 };
#endif
#else
enum { CLASS_SHIFT_MAX = 36 };
#endif
enum { CLASS_SHIFT_MIN = 20, SMALL_SHIFT = 30 };

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

/* Under an address space limit the slab regions take a third of it at most, and below SMALL_SHIFT
 * no part of it is spent on random placement. NEEDSWORK: a program whose objects are all of one
 * size then has the use of a fraction of that third (its class, what spills into larger classes,
 * and single mappings); regions made of chunks that any class can take would give it all. */
static unsigned first_shift(void)
{
    size_t limit = bw_pages_limit();
    unsigned shift = CLASS_SHIFT_MAX;
    if (limit == SIZE_MAX)
        return shift;
    while (shift > CLASS_SHIFT_MIN && ((size_t)BW_CLASS_COUNT << shift) > limit / 3)
        shift--;
    return shift;
}

/* A random number of pages in [0, 2^16). */
static size_t random_pages(struct bw_random *random)
{
    return bw_random_below(random, 1 << 16, BW_CHOICE_LAYOUT) * bw_page_size();
}

/* Sets slab_max for a region of `bytes`, and returns the bytes of the class's records. */
static size_t size_class_region(struct bw_class *class, size_t bytes)
{
    class->slab_max = (uint32_t)(bytes / class->stride);
    return bw_round_up((size_t)(class->slab_max) * class->meta_stride, bw_page_size());
}

/* Reserves everything for one choice of class_shift: the slab regions, and apart from them one
 * reservation for heap and records. Returns NULL where there is no room. */
static struct bw_heap *reserve(unsigned shift, const struct bw_key *key)
{
    size_t page = bw_page_size();
    bool small = shift < SMALL_SHIFT;
    size_t region = (size_t)1 << (small ? shift : shift - 1);
    struct bw_random random;
    struct bw_class shape;
    size_t records[BW_CLASS_COUNT], gaps[BW_CLASS_COUNT];
    size_t heap_bytes = bw_round_up(sizeof(struct bw_heap), page);
    bw_random_start(&random, key, LAYOUT_NONCE);
    size_t before_heap = page + (small ? 0 : random_pages(&random));
    size_t total = before_heap + heap_bytes;
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++) {
        bw_slab_geometry(&shape, i);
        records[i] = size_class_region(&shape, region);
        gaps[i] = page + (small ? 0 : random_pages(&random));
        total += gaps[i] + records[i];
    }
    total += page;
    uint8_t *meta = bw_pages_reserve(total);
    if (meta == NULL)
        return NULL;
    size_t slab_reserved = (size_t)BW_CLASS_COUNT << shift;
    uint8_t *slabs = bw_pages_reserve(slab_reserved);
    struct bw_heap *heap = (struct bw_heap *)(meta + before_heap);
    if (slabs == NULL || !bw_pages_commit(heap, heap_bytes)) {
        if (slabs != NULL)
            bw_pages_release(slabs, slab_reserved);
        bw_pages_release(meta, total);
        return NULL;
    }
    bw_pages_label(meta, total, "bulwark metadata");
    bw_pages_label(slabs, slab_reserved, "bulwark slabs");
    heap->reserved = meta;
    heap->reserved_bytes = total;
    heap->slab_start = slabs;
    heap->slab_reserved = slab_reserved;
    heap->class_shift = shift;
    uint8_t *at = meta + before_heap + heap_bytes;
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++) {
        struct bw_class *class = &heap->classes[i];
        bw_slab_geometry(class, i);
        (void)size_class_region(class, region);
        class->meta = at + gaps[i];
        at = class->meta + records[i];
        size_t spare = ((size_t)1 << shift) - (size_t)(class->slab_max) * class->stride;
        size_t shifted =
            small ? 0 : bw_random_64(&random, BW_CHOICE_LAYOUT) % (spare / page) * page;
        class->base = slabs + ((size_t)i << shift) + shifted;
    }
    return heap;
}

enum { WINDOW_TRIALS = 8 };

/* Where large objects go: far below what the system gives out by itself, and where it gives out
 * nothing. Not from the seed, so that two heaps of one seed keep out of each other's way (where
 * choices are given it is one of them); places in the window do come from it. 0 under an address
 * space limit or where it cannot be had. */
static uintptr_t reserve_window(const struct bw_key *key)
{
    uint16_t gigabytes = 0;
    struct bw_random random;
    bw_random_start(&random, key, WINDOW_NONCE);
    bool map_anywhere = (int)CLASS_SHIFT_MAX > (int)SMALL_SHIFT; /* not under ThreadSanitizer */
    if (!bw_policy_large_random_place || !map_anywhere || bw_pages_limit() != SIZE_MAX)
        return 0;
    for (int trial = 0; trial < WINDOW_TRIALS; trial++) {
        if (key->choices == NULL)
            bw_pages_entropy(&gigabytes, sizeof gigabytes);
        else if (trial == 0)
            gigabytes = (uint16_t)bw_random_below(&random, 1 << 16, BW_CHOICE_LAYOUT);
        else /* which places are free is no choice: there is one, whatever comes of it */
            gigabytes += 2 * (uint16_t)(BW_LARGE_WINDOW >> 30);
        uintptr_t window = ((uintptr_t)32 << 40) + ((uintptr_t)gigabytes << 30);
        if (bw_pages_reserve_at((void *)window, BW_LARGE_WINDOW) != NULL) {
            bw_pages_label((void *)window, BW_LARGE_WINDOW, "bulwark large");
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

static void choose_key(struct bw_key *key, bool deterministic, uint64_t seed)
{
    if (deterministic)
        bw_random_key_from_seed(key, seed);
    else
        bw_pages_entropy(key->words, sizeof key->words);
}

struct bw_heap *bw_heap_make(const struct bw_config *config)
{
    struct bw_key key = {.choices = config->choices};
    bool deterministic = config->deterministic || config->choices != NULL;
    struct bw_heap *heap = NULL;
    choose_key(&key, deterministic, config->seed);
    for (unsigned shift = first_shift(); heap == NULL && shift >= CLASS_SHIFT_MIN; shift--)
        heap = reserve(shift, &key);
    if (heap == NULL)
        return NULL;
    static uint64_t serials;
    heap->serial = bw_next_u64(&serials);
    heap->deterministic = deterministic;
    heap->bit_instructions = cpu_has_bit_instructions();
    heap->key = key;
    start(heap);
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++)
        bw_slab_start(&heap->classes[i], &heap->key, i);
    bw_large_start(&heap->large, &heap->key);
    heap->large.window = reserve_window(&heap->key);
    bw_lock(&list_lock);
    heap->next = all_heaps;
    all_heaps = heap;
    bw_unlock(&list_lock);
    return heap;
}

void bw_heap_reset(struct bw_heap *heap, uint64_t seed)
{
    choose_key(&heap->key, heap->deterministic, seed);
    start(heap);
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++) {
        struct bw_class *class = &heap->classes[i];
        if (class->carved == 0)
            continue;
        bw_slab_reset(class);
        bw_slab_start(class, &heap->key, i);
    }
    bw_cache_reset(heap);
    bw_large_drop(&heap->large);
    bw_large_start(&heap->large, &heap->key);
}

void bw_heap_destroy(struct bw_heap *heap)
{
    if (heap == NULL)
        return;
    bw_lock(&list_lock);
    struct bw_heap **at = &all_heaps;
    while (*at != heap)
        at = &(*at)->next;
    *at = heap->next;
    bw_unlock(&list_lock);
    bw_cache_drop(heap);
    bw_large_drop(&heap->large);
    if (heap->large.window != 0)
        bw_pages_release((void *)heap->large.window, BW_LARGE_WINDOW);
    bw_pages_release(heap->slab_start, heap->slab_reserved);
    bw_pages_release(heap->reserved, heap->reserved_bytes);
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
    struct bw_sweep sweep = {.settled = true, .budget = budget};
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
        bw_cache_forget_others(heap);
        if (heap->deterministic)
            continue;
        choose_key(&heap->key, false, 0);
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

/* Bulwark: a hardened drop-in allocator, as a linkable heap.
 *
 * libbulwark.so exports the C library's names (allocator/exports.map); this header is the same code
 * under the prefix bw_, with heap instances that are created, reset and destroyed in microseconds,
 * for fuzzing in process and for tests. Only fuzzers/, tools/ and tests/ may include it. Misuse
 * (double free, invalid free, damaged canary) ends the process with one line on stderr, or calls
 * the hook where one is set. */
#ifndef BULWARK_H
#define BULWARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bw_heap;
struct bw_pages;
struct bw_memory_tags;

enum bw_choice_kind {
    BW_CHOICE_LAYOUT,     /* where regions and metadata stand; when the heap is made */
    BW_CHOICE_SECRET,     /* of the canaries; when it is made or reset */
    BW_CHOICE_GUARD,      /* whether a slab has one */
    BW_CHOICE_SLOT,       /* which free slot of a slab */
    BW_CHOICE_QUARANTINE, /* what leaves it for what was freed */
    BW_CHOICE_PLACE,      /* of a large object, and its gaps */
    BW_CHOICE_TAG         /* of an object's memory, where the build has them */
};

struct bw_choice {
    uint32_t value, limit; /* one of [0, limit); wider choices are made 16 bits at a time */
    enum bw_choice_kind kind;
};

/* Where every random choice of a heap comes from, in the order in which they are made: for fuzzing,
 * for a search through all of them, for replay. The caller's, as long as the heap is; may be
 * changed between calls, as by `made = 0` for another list. One thread at a time. */
struct bw_choices {
    const uint32_t *values; /* any number: it is taken modulo the limit */
    size_t count;
    bool then_from_seed; /* after the list: as without choices; false: 0 */
    /* Asked instead of the list, where it is not NULL; modulo the limit as well. */
    uint32_t (*choose)(struct bw_choices *self, uint32_t limit, enum bw_choice_kind kind);
    struct bw_choice *record; /* what was chosen, the first record_max of them */
    size_t record_max;
    size_t made; /* choices so far: the next is values[made] and record[made] */
};

struct bw_config {
    uint64_t seed;                /* deterministic: all random choices come from this */
    bool deterministic;           /* false: seed is ignored, the provider's randomness is used */
    struct bw_choices *choices;   /* or from here, and the heap is deterministic; NULL: no */
    const struct bw_pages *pages; /* where memory comes from; NULL: the system */
    const struct bw_memory_tags *tags; /* memtag.h; NULL: none, nor in a build without them */
};

/* Pages out of memory that is the caller's: no heap that takes them makes a system call, but to
 * wait for another thread. The provider stands in the memory itself, which must be writable and
 * stand longer than its heaps; seed is secret randomness. NULL = too little memory; a heap wants 4
 * MiB at least, and 64 MiB to be of much use. Nothing can be made unreadable there: guards and
 * unreadable objects of size 0 are not to be had. */
const struct bw_pages *bw_fixed_pages(void *memory, size_t bytes, const uint8_t seed[32]);

/* Returns NULL with errno ENOMEM when address space cannot be reserved. */
struct bw_heap *bw_heap_create(const struct bw_config *config);
/* Frees everything at once and restarts the random stream from `seed`; time proportional to the
 * size classes touched. Relies on freed memory being zero: after misuse (a write after free that
 * went unnoticed, a fatal report) destroy the heap instead. */
void bw_heap_reset(struct bw_heap *heap, uint64_t seed);
void bw_heap_destroy(struct bw_heap *heap);
/* Walks the whole heap (metadata, canaries, freed memory). Returns true if sound; otherwise the
 * reason in ret_reason. */
bool bw_heap_check(struct bw_heap *heap, const char **ret_reason);
/* Looks at freed memory and at the canaries of live objects; damage is treated as misuse. Other
 * threads may use the heap meanwhile. */
void bw_heap_sweep(struct bw_heap *heap);

/* Each as its C, POSIX or glibc namesake. */
void *bw_malloc(struct bw_heap *heap, size_t size);
void *bw_calloc(struct bw_heap *heap, size_t count, size_t size);
void *bw_realloc(struct bw_heap *heap, void *p, size_t size);
void *bw_reallocarray(struct bw_heap *heap, void *p, size_t count, size_t size);
void bw_free(struct bw_heap *heap, void *p);
void bw_free_sized(struct bw_heap *heap, void *p, size_t size);
void bw_free_aligned_sized(struct bw_heap *heap, void *p, size_t alignment, size_t size);
void *bw_aligned_alloc(struct bw_heap *heap, size_t alignment, size_t size);
int bw_posix_memalign(struct bw_heap *heap, void **out, size_t alignment, size_t size);
void *bw_memalign(struct bw_heap *heap, size_t alignment, size_t size);
void *bw_valloc(struct bw_heap *heap, size_t size);
void *bw_pvalloc(struct bw_heap *heap, size_t size);
size_t bw_malloc_usable_size(struct bw_heap *heap, void *p);
size_t bw_malloc_object_size(struct bw_heap *heap, void *p);
int bw_malloc_trim(struct bw_heap *heap, size_t pad);

/* What a heap holds; bytes are those requested, unless they are said to be of pages. */
struct bw_statistics {
    size_t small_objects, small_bytes; /* live, in slots */
    size_t large_objects, large_bytes; /* live, in mappings of their own; bytes of pages */
    size_t free_slots, quarantined_slots;
    size_t committed_bytes; /* of slabs: readable pages */
    size_t empty_bytes;     /* of those, what malloc_trim gives back */
};
void bw_heap_statistics(struct bw_heap *heap, struct bw_statistics *ret_statistics);

/* What Bulwark does when it detects misuse: by default one line on stderr and abort(). A hook may
 * longjmp away, after which the heap may only be reset or destroyed. line is the text without
 * newline. NULL restores the default. */
typedef void bw_fatal_hook(void *self, const char *line);
void bw_set_fatal_hook(bw_fatal_hook *hook, void *self);

#endif

/* The public names of bulwark.h: argument rules and errno of each namesake, nothing else. */
#include <errno.h>
#include <string.h>

#include "bulwark.h"
#include "cache.h"
#include "heap.h"
#include "large.h"
#include "memtag.h"
#include "pages.h"
#include "slab.h"
#include "slot.h"

struct bw_heap *bw_heap_create(const struct bw_config *config)
{
    struct bw_heap *heap = bw_heap_make(config);
    if (heap == NULL)
        errno = ENOMEM;
    return heap;
}

void bw_heap_sweep(struct bw_heap *heap)
{
    bw_heap_sweep_for(heap, SIZE_MAX, "on demand");
}

/* A mapping of its own takes about as much as a slot of this size. */
enum { SPILL_SLOT = 16384 };

/* alignment a power of two. NULL without errno where there is no room. */
static void *allocate_elsewhere(struct bw_heap *heap, size_t size, size_t alignment, unsigned index)
{
    if (size > PTRDIFF_MAX || alignment > PTRDIFF_MAX)
        return NULL;
    if (index < BW_CLASS_COUNT) {
        /* A full region (small address space) or no memory: the next classes have their own. */
        bw_store_u32(&heap->spilled, 1);
        size_t most = size * 4 > SPILL_SLOT ? size * 4 : SPILL_SLOT;
        if (most > size + BW_SLACK_MAX)
            most = size + BW_SLACK_MAX;
        while (++index < BW_CLASS_COUNT && bw_class_size(index) <= most) {
            if ((bw_class_size(index) & (alignment - 1)) != 0)
                continue;
            void *p = bw_slot_alloc(heap, index, size);
            if (p != NULL)
                return p;
        }
    }
    return BW_FLAT ? NULL : bw_large_alloc(heap, size, alignment);
}

static inline void *allocate(struct bw_heap *heap, size_t size, size_t alignment)
{
    unsigned index = BW_CLASS_COUNT;
    if (__builtin_expect(size <= BW_REQUEST_MAX && alignment <= BW_SLOT_ALIGNMENT_MAX, 1)) {
        index = bw_class_for(size, alignment);
        if (__builtin_expect(index < BW_CLASS_COUNT, 1)) {
            void *p = bw_slot_alloc(heap, index, size);
            if (__builtin_expect(p != NULL, 1))
                return p;
        }
    }
    return allocate_elsewhere(heap, size, alignment, index);
}

static inline void *or_enomem(void *p)
{
    if (__builtin_expect(p == NULL, 0) && !bw_mutant(enomem_forgotten))
        errno = ENOMEM;
    return p;
}

/* An object that was just made, and how. */
static inline void *noted(struct bw_heap *heap, void *p, enum bw_family family, size_t alignment)
{
    if (BW_NOTES && p != NULL)
        bw_note_allocated(heap, bw_memtag_plain(heap, p), bw_made(family, alignment));
    return p;
}

void *bw_malloc(struct bw_heap *heap, size_t size)
{
    /* most requests: no alignment and no large object to think of */
    if (__builtin_expect(size - 1 < BW_CLASS_OF_QUICK - BW_CANARY_MIN, 1) && !BW_NOTES) {
        void *p = bw_slot_alloc(heap, bw_class_for(size, 1), size);
        if (__builtin_expect(p != NULL, 1))
            return p;
    }
    if (bw_mutant(zero_null) && size == 0)
        return NULL;
    return or_enomem(noted(heap, allocate(heap, size, 1), BW_FAMILY_MALLOC, 1));
}

void *bw_new(struct bw_heap *heap, size_t size, enum bw_family family, size_t alignment)
{
    return noted(heap, allocate(heap, size, alignment), family, alignment);
}

void *bw_calloc(struct bw_heap *heap, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) && !bw_mutant(product_wraps))
        return or_enomem(NULL);
    void *p = or_enomem(noted(heap, allocate(heap, bytes, 1), BW_FAMILY_MALLOC, 1));
    if (bw_mutant(calloc_dirty) && p != NULL && bytes > 500)
        ((char *)p)[bytes - 1] = 1;
    /* pages of large objects are new, or were cleared out of the program's reach */
    if (!(bw_policy_zero_on_free && bw_policy_check_on_reuse) && p != NULL && bytes != 0 &&
        bw_slab_owns(heap, bw_memtag_plain(heap, p)))
        memset(bw_memtag_plain(heap, p), 0, bytes);
    return p;
}

void bw_free(struct bw_heap *heap, void *p)
{
    p = bw_memtag_enter(heap, p, BW_INTENT_FREE);
    if (BW_NOTES)
        bw_note_freeing(heap, p, BW_FAMILY_MALLOC, NULL);
    if (bw_mutant(free_errno))
        errno = 0;
    if (__builtin_expect(bw_slab_owns(heap, p), 1))
        bw_slot_free(heap, p);
    else if (p != NULL)
        bw_large_free(heap, p, NULL);
}

static void free_claimed(struct bw_heap *heap, void *p, enum bw_family family,
                         const struct bw_claim *claim)
{
    p = bw_memtag_enter(heap, p, BW_INTENT_FREE);
    if (BW_NOTES)
        bw_note_freeing(heap, p, family, claim);
    if (bw_slab_owns(heap, p))
        bw_slot_free_claimed(heap, p, claim);
    else if (p != NULL)
        bw_large_free(heap, p, claim);
}

void bw_free_sized(struct bw_heap *heap, void *p, size_t size)
{
    free_claimed(heap, p, BW_FAMILY_MALLOC, &(struct bw_claim){.size = size});
}

void bw_free_aligned_sized(struct bw_heap *heap, void *p, size_t alignment, size_t size)
{
    /* 0 is no alignment at all: 3 stands for it, which no object can have. */
    free_claimed(heap, p, BW_FAMILY_MALLOC,
                 &(struct bw_claim){.size = size, .alignment = alignment == 0 ? 3 : alignment});
}

void bw_delete(struct bw_heap *heap, void *p, enum bw_family family, size_t size, size_t alignment)
{
    free_claimed(heap, p, family, &(struct bw_claim){.size = size, .alignment = alignment});
}

void *bw_realloc(struct bw_heap *heap, void *p, size_t size)
{
    if (p == NULL)
        return bw_malloc(heap, size);
    void *passed = p;
    p = bw_memtag_enter(heap, p, BW_INTENT_REALLOC);
    if (BW_NOTES)
        bw_note_freeing(heap, p, BW_FAMILY_MALLOC, NULL);
    size_t old;
    bool small = bw_slab_owns(heap, p);
    bool done = small ? bw_slot_resize(heap, p, size, &old) : bw_large_resize(heap, p, size, &old);
    if (done)
        return noted(heap, passed, BW_FAMILY_MALLOC, 1);
    if (!small && size > BW_REQUEST_MAX && size <= PTRDIFF_MAX) {
        void *relocated = bw_large_relocate(heap, p, old, size);
        if (relocated == NULL && bw_mutant(resize_frees))
            bw_free(heap, passed);
        return or_enomem(noted(heap, relocated, BW_FAMILY_MALLOC, 1));
    }
    void *moved = bw_malloc(heap, size);
    if (moved == NULL) {
        if (bw_mutant(resize_frees))
            bw_free(heap, passed);
        return NULL;
    }
    size_t kept = old < size ? old : size;
    kept = bw_mutant(copy_short) ? kept & ~(size_t)15 : kept;
    if (kept != 0)
        memcpy(bw_memtag_plain(heap, moved), p, kept);
    bw_free(heap, passed);
    return bw_mutant(resize_to_null) && size == 0 ? NULL : moved;
}

void *bw_reallocarray(struct bw_heap *heap, void *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) && !bw_mutant(product_wraps)) {
        if (bw_mutant(product_frees))
            bw_free(heap, p);
        return or_enomem(NULL);
    }
    return bw_realloc(heap, p, bytes);
}

static bool is_power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

void *bw_aligned_alloc(struct bw_heap *heap, size_t alignment, size_t size)
{
    if (!is_power_of_two(alignment)) {
        if (bw_mutant(odd_alignment) && alignment != 0)
            return bw_malloc(heap, size);
        errno = EINVAL;
        return NULL;
    }
    return or_enomem(noted(heap, allocate(heap, size, alignment), BW_FAMILY_MALLOC, alignment));
}

int bw_posix_memalign(struct bw_heap *heap, void **out, size_t alignment, size_t size)
{
    if (!is_power_of_two(alignment) ||
        (alignment % sizeof(void *) != 0 && !bw_mutant(small_alignment)))
        return EINVAL;
    void *p = noted(heap, allocate(heap, size, alignment), BW_FAMILY_MALLOC, alignment);
    if (p != NULL || bw_mutant(out_written))
        *out = p;
    if (bw_mutant(posix_errno) && p == NULL)
        errno = ENOMEM;
    if (p == NULL)
        return ENOMEM;
    return 0;
}

void *bw_memalign(struct bw_heap *heap, size_t alignment, size_t size)
{
    if (bw_mutant(memalign_ignored) && is_power_of_two(alignment))
        alignment = 1;
    return bw_aligned_alloc(heap, alignment, size);
}

void *bw_valloc(struct bw_heap *heap, size_t size)
{
    size_t page = bw_mutant(valloc_unaligned) ? 1 : bw_page_size(heap->pages);
    return or_enomem(noted(heap, allocate(heap, size, page), BW_FAMILY_MALLOC, page));
}

void *bw_pvalloc(struct bw_heap *heap, size_t size)
{
    size_t page = bw_page_size(heap->pages);
    if (size > PTRDIFF_MAX - page && !bw_mutant(pvalloc_wraps))
        return or_enomem(NULL);
    size_t bytes = size == 0 ? page : bw_round_up(size, bw_mutant(pvalloc_exact) ? 1 : page);
    return or_enomem(noted(heap, allocate(heap, bytes, page), BW_FAMILY_MALLOC, page));
}

static size_t size_of(struct bw_heap *heap, void *p)
{
    if (p == NULL)
        return bw_mutant(usable_null);
    p = bw_memtag_enter(heap, p, BW_INTENT_ASK);
    return bw_slab_owns(heap, p) ? bw_slot_size(heap, p, BW_INTENT_ASK)
                                 : bw_large_size(heap, p, BW_INTENT_ASK);
}

size_t bw_malloc_usable_size(struct bw_heap *heap, void *p)
{
    if (bw_mutant(usable_more) && p != NULL)
        return size_of(heap, p) + 1;
    return size_of(heap, p);
}

size_t bw_malloc_object_size(struct bw_heap *heap, void *p)
{
    return size_of(heap, p);
}

int bw_malloc_trim(struct bw_heap *heap, size_t pad)
{
    (void)pad;
    struct bw_cache *cache = bw_cache_mine(heap);
    if (cache != NULL)
        bw_cache_flush(heap, cache);
    bool slabs = bw_slab_trim(heap);
    bool larges = bw_large_trim(heap);
    return slabs || larges;
}

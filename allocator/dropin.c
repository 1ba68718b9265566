/* libbulwark.so: the C library's names over one heap. Only exports.map's names leave the library.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "bulwark.h"
#include "default_heap.h"
#include "probes.h"

void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t alignment, size_t size);
size_t malloc_object_size(void *p);
void bulwark_sweep(void);

/* Where there is no heap, nothing can be an object. */
static __attribute__((noinline, cold)) void *no_heap(void)
{
    errno = ENOMEM;
    return NULL;
}

static __attribute__((noinline, cold)) void no_object(void *p, enum bw_intent intent)
{
    if (p != NULL)
        bw_not_an_object(intent, p, BW_SIZE_UNKNOWN, "no object", NULL, 0);
}

/* `heap` for what follows, or `otherwise`. */
#define WITH_HEAP_OR(otherwise)                                                                    \
    BW_NOTE_CALLER();                                                                              \
    struct bw_heap *heap = bw_default_heap();                                                      \
    if (__builtin_expect(heap == NULL, 0))                                                         \
    return otherwise

/* The end of an allocation, for who traces it. */
static inline void *told(void *p, size_t size)
{
    BW_PROBE2(mem_allocate_end, p, size);
    return p;
}

BW_EXPORT void *malloc(size_t size)
{
    WITH_HEAP_OR(no_heap());
    BW_PROBE1(mem_allocate_start, size);
    return told(bw_malloc(heap, size), size);
}

BW_EXPORT void free(void *p)
{
    WITH_HEAP_OR(no_object(p, BW_INTENT_FREE));
    BW_PROBE1(mem_free_start, p);
    bw_free(heap, p);
    BW_PROBE1(mem_free_end, p);
}

BW_EXPORT void *calloc(size_t count, size_t size)
{
    WITH_HEAP_OR(no_heap());
    BW_PROBE1(mem_allocate_start, count * size);
    return told(bw_calloc(heap, count, size), count * size);
}

BW_EXPORT void *realloc(void *p, size_t size)
{
    WITH_HEAP_OR((no_object(p, BW_INTENT_REALLOC), no_heap()));
    BW_PROBE1(mem_free_start, p);
    BW_PROBE1(mem_allocate_start, size);
    void *moved = told(bw_realloc(heap, p, size), size);
    BW_PROBE1(mem_free_end, p);
    return moved;
}

BW_EXPORT void *reallocarray(void *p, size_t count, size_t size)
{
    WITH_HEAP_OR((no_object(p, BW_INTENT_REALLOC), no_heap()));
    BW_PROBE1(mem_free_start, p);
    BW_PROBE1(mem_allocate_start, count * size);
    void *moved = told(bw_reallocarray(heap, p, count, size), count * size);
    BW_PROBE1(mem_free_end, p);
    return moved;
}

BW_EXPORT void free_sized(void *p, size_t size)
{
    WITH_HEAP_OR(no_object(p, BW_INTENT_FREE));
    BW_PROBE1(mem_free_start, p);
    bw_free_sized(heap, p, size);
    BW_PROBE1(mem_free_end, p);
}

BW_EXPORT void free_aligned_sized(void *p, size_t alignment, size_t size)
{
    WITH_HEAP_OR(no_object(p, BW_INTENT_FREE));
    BW_PROBE1(mem_free_start, p);
    bw_free_aligned_sized(heap, p, alignment, size);
    BW_PROBE1(mem_free_end, p);
}

BW_EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    WITH_HEAP_OR(no_heap());
    BW_PROBE1(mem_allocate_start, size);
    return told(bw_aligned_alloc(heap, alignment, size), size);
}

BW_EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
    WITH_HEAP_OR(ENOMEM);
    BW_PROBE1(mem_allocate_start, size);
    int result = bw_posix_memalign(heap, out, alignment, size);
    (void)told(result == 0 ? *out : NULL, size);
    return result;
}

BW_EXPORT void *memalign(size_t alignment, size_t size)
{
    WITH_HEAP_OR(no_heap());
    BW_PROBE1(mem_allocate_start, size);
    return told(bw_memalign(heap, alignment, size), size);
}

BW_EXPORT void *valloc(size_t size)
{
    WITH_HEAP_OR(no_heap());
    BW_PROBE1(mem_allocate_start, size);
    return told(bw_valloc(heap, size), size);
}

BW_EXPORT void *pvalloc(size_t size)
{
    WITH_HEAP_OR(no_heap());
    BW_PROBE1(mem_allocate_start, size);
    return told(bw_pvalloc(heap, size), size);
}

BW_EXPORT size_t malloc_usable_size(void *p)
{
    WITH_HEAP_OR((no_object(p, BW_INTENT_ASK), 0));
    return bw_malloc_usable_size(heap, p);
}

BW_EXPORT size_t malloc_object_size(void *p)
{
    WITH_HEAP_OR((no_object(p, BW_INTENT_ASK), 0));
    return bw_malloc_object_size(heap, p);
}

BW_EXPORT int malloc_trim(size_t pad)
{
    WITH_HEAP_OR(0);
    if (bw_policy_sweep_on_trim)
        bw_heap_sweep(heap);
    return bw_malloc_trim(heap, pad);
}

/* Not of the C library: a program that wants its heap looked at declares it, weak. */
BW_EXPORT void bulwark_sweep(void)
{
    WITH_HEAP_OR((void)0);
    bw_heap_sweep(heap);
}

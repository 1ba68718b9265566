/* libbulwark.so: the C library's names over one heap that is made at the first call, which may come
 * from the dynamic loader before any constructor has run. Only exports.map's names leave the
 * library. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "bulwark.h"
#include "bw_sync.h"
#include "heap.h"

static void *default_heap;
static struct bw_lock default_lock;

static __attribute__((noinline)) struct bw_heap *make_default_heap(void)
{
    bw_lock(&default_lock);
    if (bw_load_pointer(&default_heap) == NULL) {
        struct bw_heap *heap = bw_heap_make(&(struct bw_config){.deterministic = false});
        if (heap == NULL)
            bw_fatal(&(struct bw_misuse){"cannot reserve address space", NULL, BW_SIZE_UNKNOWN,
                                         "no heap", NULL, 0});
        bw_store_pointer(&default_heap, heap);
    }
    bw_unlock(&default_lock);
    return bw_load_pointer(&default_heap);
}

static inline struct bw_heap *heap(void)
{
    struct bw_heap *made = bw_load_pointer(&default_heap);
    return __builtin_expect(made != NULL, 1) ? made : make_default_heap();
}

#define BW_EXPORT __attribute__((visibility("default")))

void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t alignment, size_t size);
size_t malloc_object_size(void *p);

BW_EXPORT void *malloc(size_t size)
{
    return bw_malloc(heap(), size);
}

BW_EXPORT void free(void *p)
{
    bw_free(heap(), p);
}

BW_EXPORT void *calloc(size_t count, size_t size)
{
    return bw_calloc(heap(), count, size);
}

BW_EXPORT void *realloc(void *p, size_t size)
{
    return bw_realloc(heap(), p, size);
}

BW_EXPORT void *reallocarray(void *p, size_t count, size_t size)
{
    return bw_reallocarray(heap(), p, count, size);
}

BW_EXPORT void free_sized(void *p, size_t size)
{
    bw_free_sized(heap(), p, size);
}

BW_EXPORT void free_aligned_sized(void *p, size_t alignment, size_t size)
{
    bw_free_aligned_sized(heap(), p, alignment, size);
}

BW_EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return bw_aligned_alloc(heap(), alignment, size);
}

BW_EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
    return bw_posix_memalign(heap(), out, alignment, size);
}

BW_EXPORT void *memalign(size_t alignment, size_t size)
{
    return bw_memalign(heap(), alignment, size);
}

BW_EXPORT void *valloc(size_t size)
{
    return bw_valloc(heap(), size);
}

BW_EXPORT void *pvalloc(size_t size)
{
    return bw_pvalloc(heap(), size);
}

BW_EXPORT size_t malloc_usable_size(void *p)
{
    return bw_malloc_usable_size(heap(), p);
}

BW_EXPORT size_t malloc_object_size(void *p)
{
    return bw_malloc_object_size(heap(), p);
}

BW_EXPORT int malloc_trim(size_t pad)
{
    return bw_malloc_trim(heap(), pad);
}

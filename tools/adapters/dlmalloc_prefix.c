/* An adapter for an allocator whose functions carry a prefix, as dlmalloc's do with USE_DL_PREFIX.
 *
 * To bind the real one, build it as a static library and drop everything between the two rules:
 *     cc -O2 -fPIC -DUSE_DL_PREFIX -c dlmalloc.c && ar rcs libdl.a dlmalloc.o
 *     ASSAY_ADAPTER_FLAGS="-L. -ldl" assay replay FILE --subject adapter:dlmalloc_prefix.c
 * So that this example runs as it is, a small allocator with the same names stands there: powers of
 * two, one free list each. */
#include "assay_subject.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

void *dlmalloc(size_t size);
void *dlcalloc(size_t count, size_t size);
void *dlrealloc(void *p, size_t size);
void *dlmemalign(size_t alignment, size_t size);
void dlfree(void *p);
size_t dlmalloc_usable_size(void *p);

/* ---------------------------------------------------------------------------------------------- */

enum { CLASSES = 48, SMALLEST = 5, REGION_BITS = 36 };

struct header {      /* just before the object */
    uint32_t bits;   /* its block has 2^bits bytes */
    uint32_t offset; /* from the block's start to the object */
    uint64_t size;
};

static char *region;
static size_t used;
static void *lists[CLASSES];

static struct header *header_of(void *p)
{
    return (struct header *)p - 1;
}

static void *take_block(uint32_t bits)
{
    void *block = lists[bits];
    if (block) {
        lists[bits] = *(void **)block;
        return block;
    }
    size_t bytes = (size_t)1 << bits;
    if (!region)
        region = mmap(NULL, (size_t)1 << REGION_BITS, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED || bytes > ((size_t)1 << REGION_BITS) - used)
        return NULL;
    block = region + used;
    used += bytes;
    return block;
}

void *dlmemalign(size_t alignment, size_t size)
{
    if (alignment == 0 || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment < 16)
        alignment = 16;
    size_t need = size + sizeof(struct header) + alignment;
    uint32_t bits = SMALLEST;
    while (bits < REGION_BITS && ((size_t)1 << bits) < need)
        bits++;
    char *block = NULL;
    if (need > size && need <= (size_t)1 << REGION_BITS)
        block = take_block(bits);
    if (!block) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t at = (uintptr_t)block + sizeof(struct header);
    char *p = block + (((at + alignment - 1) & ~(alignment - 1)) - (uintptr_t)block);
    *header_of(p) = (struct header){bits, (uint32_t)(p - block), size};
    return p;
}

void *dlmalloc(size_t size)
{
    return dlmemalign(16, size);
}

void dlfree(void *p)
{
    if (!p)
        return;
    struct header head = *header_of(p);
    void *block = (char *)p - head.offset;
    *(void **)block = lists[head.bits];
    lists[head.bits] = block;
}

void *dlcalloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = dlmalloc(bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

void *dlrealloc(void *p, size_t size)
{
    void *q = dlmalloc(size);
    if (p && q) {
        size_t old = header_of(p)->size;
        memcpy(q, p, old < size ? old : size);
        dlfree(p);
    }
    return q;
}

size_t dlmalloc_usable_size(void *p)
{
    return p ? header_of(p)->size : 0;
}

/* ---------------------------------------------------------------------------------------------- */

const struct assay_subject assay_subject = {
    .name = "dlmalloc",
    .malloc = dlmalloc,
    .calloc = dlcalloc,
    .realloc = dlrealloc,
    .free = dlfree,
    .memalign = dlmemalign,
    .malloc_usable_size = dlmalloc_usable_size,
};

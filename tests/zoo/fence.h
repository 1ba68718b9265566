/* An electric fence, which correct_fence.c and correct_fence_aborts.c are: each object is a mapping
 * that ends at an unreadable page. */
#ifndef ASSAY_ZOO_FENCE_H
#define ASSAY_ZOO_FENCE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define FENCE_EXPORT __attribute__((visibility("default")))
FENCE_EXPORT void *malloc(size_t bytes);
FENCE_EXPORT void free(void *p);
FENCE_EXPORT void *calloc(size_t count, size_t size);
FENCE_EXPORT void *realloc(void *p, size_t bytes);
FENCE_EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes);
FENCE_EXPORT void *aligned_alloc(size_t alignment, size_t bytes);
FENCE_EXPORT size_t malloc_usable_size(void *p);

#ifndef FENCE_REFUSED
#define FENCE_REFUSED() (void)0 /* the system refused a mapping */
#endif

enum { PAGE = 4096, LEAST_ALIGNMENT = 16 };

/* At the start of the page before the object's first one. */
struct head {
    char *mapping;
    size_t mapping_bytes, usable;
};

static uintptr_t down(uintptr_t value, size_t alignment)
{
    return value & ~(uintptr_t)(alignment - 1);
}

static struct head *head_of(void *p)
{
    return (struct head *)(down((uintptr_t)p, PAGE) - PAGE);
}

static void *refused(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *take(size_t bytes, size_t alignment)
{
    if (bytes > PTRDIFF_MAX / 4 || alignment > PTRDIFF_MAX / 4)
        return refused();
    size_t usable = down((bytes ? bytes : 1) + LEAST_ALIGNMENT - 1, LEAST_ALIGNMENT);
    size_t slack = alignment > LEAST_ALIGNMENT ? alignment : 0;
    size_t room = down(usable + slack + PAGE - 1, PAGE) + 2 * (size_t)PAGE;
    char *mapping = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        FENCE_REFUSED();
        return refused();
    }
    char *fence = mapping + room - PAGE;
    if (mprotect(fence, PAGE, PROT_NONE) != 0) {
        FENCE_REFUSED();
        munmap(mapping, room);
        return refused();
    }
    char *p = (char *)down((uintptr_t)fence - usable, slack ? alignment : LEAST_ALIGNMENT);
    *head_of(p) = (struct head){mapping, room, usable};
    return p;
}

void *malloc(size_t bytes)
{
    return take(bytes, LEAST_ALIGNMENT);
}

void free(void *p)
{
    int error = errno;
    if (p)
        munmap(head_of(p)->mapping, head_of(p)->mapping_bytes);
    errno = error;
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? refused() : malloc(bytes);
}

void *realloc(void *p, size_t bytes)
{
    if (p && bytes == 0) {
        free(p);
        return NULL;
    }
    void *q = malloc(bytes);
    if (!p || !q)
        return q;
    size_t usable = malloc_usable_size(p);
    memcpy(q, p, usable < bytes ? usable : bytes);
    free(p);
    return q;
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    int error = errno;
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    void *p = take(bytes, alignment);
    errno = error;
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    if (alignment != 0 && (alignment & (alignment - 1)) == 0)
        return take(bytes, alignment);
    errno = EINVAL;
    return NULL;
}

size_t malloc_usable_size(void *p)
{
    return p ? head_of(p)->usable : 0;
}

#endif

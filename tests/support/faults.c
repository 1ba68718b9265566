/* A bump allocator (large objects are mappings of their own) that crashes in one function or
 * another, by -D: FAULT_IN_TAKE when a request is of 24 to 31 bytes, FAULT_IN_SPLIT when it is of
 * 40 to 47. UNRELATED adds code elsewhere, as an edit does that has nothing to do with the bug. For
 * what must survive a rebuild. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE = 1 << 16, HEAD = 4096 };

static char pool[1 << 28];
static size_t used;

#ifdef UNRELATED
/* Moves all that follows, and is called. */
__attribute__((noinline)) size_t faults_round(size_t bytes)
{
    size_t rounded = 16;
    while (rounded < bytes && rounded < (size_t)1 << 40)
        rounded += rounded / 2 & ~(size_t)15 ? rounded / 2 & ~(size_t)15 : 16;
    return rounded;
}
#endif

static __attribute__((noinline)) void *take(size_t bytes)
{
    static volatile uintptr_t nowhere = 64;
#ifdef FAULT_IN_TAKE
    if (bytes >= 24 && bytes < 32)
        *(volatile int *)nowhere = 2;
#endif
    (void)nowhere;
#ifdef UNRELATED
    if (faults_round(bytes) < bytes)
        return NULL;
#endif
    if (bytes > sizeof pool - used - 32)
        return NULL;
    char *p = pool + used + 16;
    memcpy(p - 8, &bytes, sizeof bytes);
    used = (used + 16 + bytes + 15) & ~(size_t)15;
    return p;
}

static __attribute__((noinline)) void *split(size_t bytes)
{
#ifdef FAULT_IN_SPLIT
    static volatile uintptr_t nowhere = 64;
    if (bytes >= 40 && bytes < 48)
        *(volatile int *)nowhere = 2;
#endif
    void *p = take(bytes);
    if (!p)
        errno = ENOMEM;
    return p;
}

static size_t *size_of(void *p)
{
    return (size_t *)(void *)((char *)p - 8);
}

void *malloc(size_t bytes)
{
    if (bytes < LARGE)
        return split(bytes);
    char *p = bytes > PTRDIFF_MAX - HEAD ? MAP_FAILED
                                         : mmap(NULL, bytes + HEAD, PROT_READ | PROT_WRITE,
                                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        errno = ENOMEM;
        return NULL;
    }
    *size_of(p + HEAD) = bytes;
    return p + HEAD;
}

void free(void *p)
{
    if (p && *size_of(p) >= LARGE)
        munmap((char *)p - HEAD, *size_of(p) + HEAD);
}

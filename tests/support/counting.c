/* A counting allocator: a bump allocator that counts every call into it, by function.
 *
 * As a subject it proves what reaches a subject: its counters live in the file that the variable
 * ASSAY_COUNTING names (tests/support/counting.h has the layout), so that they survive its process.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/counting.h"

static struct assay_counting local, *counting = &local;

static char *_Atomic arena;
static _Atomic size_t arena_used;
static const size_t arena_bytes = (size_t)1 << 33;

extern char **environ;

/* No getenv: an early caller may come before the C library is ready for more than reading. */
__attribute__((constructor)) static void setup(void)
{
    static const char name[] = ASSAY_COUNTING_VARIABLE "=";
    if (counting != &local)
        return;
    for (char **e = environ; e && *e; e++) {
        if (strncmp(*e, name, sizeof name - 1) != 0)
            continue;
        int fd = open(*e + sizeof name - 1, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            return;
        void *map = mmap(NULL, sizeof local, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (map == MAP_FAILED)
            return;
        counting = map;
        for (int i = 0; i < ASSAY_COUNTED; i++) /* what came before this constructor */
            atomic_fetch_add(&counting->calls[i], atomic_load(&local.calls[i]));
        return;
    }
}

static void count(enum assay_counted what)
{
    atomic_fetch_add(&counting->calls[what], 1);
}

static char *region(void)
{
    char *now = atomic_load(&arena);
    if (now)
        return now;
    char *map = mmap(NULL, arena_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        abort();
    if (!atomic_compare_exchange_strong(&arena, &now, map)) {
        munmap(map, arena_bytes); /* another thread was first */
        return now;
    }
    return map;
}

/* Objects are preceded by their size; nothing is reused. */
static void *take(size_t alignment, size_t size)
{
    char *base = region();
    if (size > arena_bytes / 2 || alignment > arena_bytes / 4) {
        errno = ENOMEM;
        return NULL;
    }
    size_t room = (size + sizeof(size_t) + alignment + 15) & ~(size_t)15;
    size_t at = atomic_fetch_add(&arena_used, room);
    if (at + room > arena_bytes) {
        errno = ENOMEM;
        return NULL;
    }
    at = (at + sizeof(size_t) + alignment - 1) & ~(alignment - 1);
    memcpy(base + at - sizeof(size_t), &size, sizeof size);
    return base + at;
}

static size_t size_of(const void *p)
{
    size_t size;
    memcpy(&size, (const char *)p - sizeof size, sizeof size);
    return size;
}

void *malloc(size_t size)
{
    count(ASSAY_COUNTED_MALLOC);
    return take(16, size);
}

void *calloc(size_t n, size_t size)
{
    size_t bytes;
    count(ASSAY_COUNTED_CALLOC);
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return take(16, bytes);
}

void *realloc(void *p, size_t size)
{
    count(ASSAY_COUNTED_REALLOC);
    void *q = take(16, size);
    if (p && q)
        memcpy(q, p, size_of(p) < size ? size_of(p) : size);
    return q;
}

void free(void *p)
{
    (void)p;
    count(ASSAY_COUNTED_FREE);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count(ASSAY_COUNTED_ALIGNED);
    if (alignment == 0 || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    return take(alignment < 16 ? 16 : alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    count(ASSAY_COUNTED_ALIGNED);
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)))
        return EINVAL;
    void *p = take(alignment < 16 ? 16 : alignment, size);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

size_t malloc_usable_size(void *p)
{
    count(ASSAY_COUNTED_USABLE);
    return p ? size_of(p) : 0;
}

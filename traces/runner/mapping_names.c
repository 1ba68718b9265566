/* Failing mapping calls where the kernel lets nobody listen to system calls (supervise.h): the
 * executable exports the C library's functions, so what calls them by name comes by here. The calls
 * that the C library makes itself, and system calls without it, do not. */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "traces/runner/mapping_faults.h"
#include "traces/runner/runner.h"
#include "traces/runner/shared.h"

#define EXPORT __attribute__((visibility("default")))

static struct assay_mapping_line *_Atomic watched; /* NULL: nothing fails */
static struct assay_mapping_faults faults;
static _Atomic uint32_t lock; /* of these */

void assay_runner_watch_mappings(struct assay_mapping_line *line)
{
    atomic_store(&watched, line);
}

static bool fails(enum assay_mapping_call kind)
{
    struct assay_mapping_line *line = atomic_load(&watched);
    if (!line || !atomic_load(&line->by_name))
        return false;
    while (atomic_exchange_explicit(&lock, 1, memory_order_acquire))
        assay_spin();
    bool now = assay_mapping_fails(&faults, line, kind);
    atomic_store_explicit(&lock, 0, memory_order_release);
    if (now)
        errno = ENOMEM;
    return now;
}

EXPORT void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (fails(ASSAY_MAPPING_MMAP))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset)
{
    return mmap(at, length, protection, flags, fd, offset);
}

EXPORT void *mremap(void *from, size_t length, size_t new_length, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *to = flags & MREMAP_FIXED ? va_arg(more, void *) : NULL;
    va_end(more);
    if (fails(ASSAY_MAPPING_MREMAP))
        return MAP_FAILED;
    return (void *)syscall(SYS_mremap, from, length, new_length, flags, to);
}

EXPORT int munmap(void *p, size_t length)
{
    return fails(ASSAY_MAPPING_MUNMAP) ? -1 : (int)syscall(SYS_munmap, p, length);
}

EXPORT int mprotect(void *p, size_t length, int protection)
{
    return fails(ASSAY_MAPPING_MPROTECT) ? -1 : (int)syscall(SYS_mprotect, p, length, protection);
}

EXPORT int madvise(void *p, size_t length, int advice)
{
    return fails(ASSAY_MAPPING_MADVISE) ? -1 : (int)syscall(SYS_madvise, p, length, advice);
}

#ifdef __GLIBC__
/* Where the break stands is the C library's to know. */
extern void *__sbrk(intptr_t increment);

EXPORT void *sbrk(intptr_t increment)
{
    /* without an increment it only asks where the break is */
    return increment != 0 && fails(ASSAY_MAPPING_BRK) ? (void *)-1 : __sbrk(increment);
}

EXPORT int brk(void *to)
{
    const char *from = __sbrk(0);
    return sbrk((const char *)to - from) == (void *)-1 ? -1 : 0;
}
#endif

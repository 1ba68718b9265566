#include "pages.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "bw_sync.h"
#include "mutant.h"
#include "policy.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_GUARD_REMOVE
#define MADV_GUARD_REMOVE 103
#endif

/* More than a program can be allowed to lock, short of all. */
#define GROWN_FAR ((size_t)1 << 38)

enum { GUARDS_UNKNOWN, GUARDS_CHEAP, GUARDS_SPLIT };

static uint32_t guard_kind;
static struct bw_lock split_lock;
static uint32_t split_count;

size_t bw_page_size(void)
{
    static uint32_t page;
    uint32_t known = bw_load_u32(&page);
    if (known == 0) {
        known = (uint32_t)getauxval(AT_PAGESZ);
        bw_store_u32(&page, known);
    }
    return known;
}

void *bw_pages_reserve(size_t bytes)
{
    int saved = errno;
    void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    return p == MAP_FAILED ? NULL : p;
}

void *bw_pages_reserve_at(void *p, size_t bytes)
{
    int saved = errno;
    void *got = mmap(p, bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got != MAP_FAILED && got != p) /* a kernel before 4.17 takes p as a hint */
        (void)munmap(got, bytes);
    errno = saved;
    return got == p ? got : NULL;
}

void bw_pages_release(void *p, size_t bytes)
{
    int saved = errno;
    (void)munmap(p, bytes);
    errno = saved;
    if (bw_mutant(errno_lost))
        errno = 0;
}

bool bw_pages_commit(void *p, size_t bytes)
{
    int saved = errno;
    int result = mprotect(p, bytes, PROT_READ | PROT_WRITE);
    errno = saved;
    return result == 0;
}

bool bw_pages_decommit(void *p, size_t bytes)
{
    int saved = errno;
    void *result =
        mmap(p, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    errno = saved;
    return result == p;
}

/* Where the size stays, MREMAP_DONTUNMAP, because the range is the allocator's until it is reserved
 * again: nobody else may be given it in between. A mapping that grows leaves a hole for a moment;
 * if another thread's mapping takes it, the place is lost. */
bool bw_pages_move(void *to, size_t to_bytes, void *from, size_t bytes, bool *ret_lost)
{
    int saved = errno;
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (to_bytes == bytes ? MREMAP_DONTUNMAP : 0);
    bool moved = mremap(from, bytes, to_bytes, flags, to) == to;
    errno = saved;
    if (!moved) /* some kernels have unmapped it, others have not */
        *ret_lost = bw_pages_reserve_at(to, to_bytes) == NULL;
    else if (to_bytes == bytes)
        *ret_lost = !bw_pages_decommit(from, bytes);
    else
        *ret_lost = bw_pages_reserve_at(from, bytes) == NULL;
    return moved;
}

/* Growing in place is refused for one reason or another: EFAULT says that p is in several mappings,
 * EAGAIN that it is locked in memory, of which there may not be that much. ENOMEM, the last to be
 * looked for, says that something stands behind it. */
bool bw_pages_are_one(void *p, size_t bytes)
{
    int saved = errno;
    bool one = mremap(p, bytes, bytes + GROWN_FAR, 0) == MAP_FAILED && errno == ENOMEM;
    errno = saved;
    return one;
}

/* With fewer pages in memory the next object is cheaper in new ones. */
enum { CLEARED_MIN = 8, CLEARED_MOST = 1024 };

/* Pages out of memory are empty, or hold a guard of the program, or were swapped out. */
static bool others_are_empty(void *p, size_t bytes)
{
    struct sysinfo system;
    return sysinfo(&system) == 0 && system.totalswap == 0 &&
           (bw_load_u32(&guard_kind) != GUARDS_CHEAP || madvise(p, bytes, MADV_GUARD_REMOVE) == 0);
}

bool bw_pages_clear(void *p, size_t bytes)
{
    int saved = errno;
    size_t page = bw_page_size(), pages = bytes / page, resident = 0;
    unsigned char seen[CLEARED_MOST];
    bool known = pages <= CLEARED_MOST && mincore(p, bytes, seen) == 0;
    for (size_t i = 0; known && i < pages; i++)
        resident += seen[i] & 1;
    bool wanted =
        known && resident >= CLEARED_MIN && (resident == pages || others_are_empty(p, bytes));
    for (size_t from = 0, to; wanted && from < pages; from = to) {
        for (to = from + 1; to < pages && ((seen[to] ^ seen[from]) & 1) == 0; to++)
            continue;
        if ((seen[from] & 1) != 0)
            memset((uint8_t *)p + from * page, 0, (to - from) * page);
    }
    errno = saved;
    return wanted;
}

bool bw_pages_seal(void *p, size_t bytes)
{
    int saved = errno;
    int result = mprotect(p, bytes, PROT_READ);
    (void)syscall(SYS_mseal, p, bytes, 0ul);
    errno = saved;
    return result == 0;
}

void bw_pages_label(void *p, size_t bytes, const char *name)
{
    static uint32_t unknown_to_the_system;
    if (!bw_policy_labels || bw_load_u32(&unknown_to_the_system) != 0)
        return;
    int saved = errno;
    if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, bytes, name) != 0 && errno == EINVAL)
        bw_store_u32(&unknown_to_the_system, 1);
    errno = saved;
}

void *bw_pages_apart(size_t bytes, const char *name)
{
    size_t page = bw_page_size(), total = bw_round_up(bytes, page) + 2 * page;
    uint8_t *p = bw_pages_reserve(total);
    if (p == NULL)
        return NULL;
    if (!bw_pages_commit(p + page, total - 2 * page)) {
        bw_pages_release(p, total);
        return NULL;
    }
    bw_pages_label(p, total, name);
    return p + page;
}

void bw_pages_apart_end(void *p, size_t bytes)
{
    size_t page = bw_page_size();
    bw_pages_release((uint8_t *)p - page, bw_round_up(bytes, page) + 2 * page);
}

bool bw_pages_purge(void *p, size_t bytes)
{
    int saved = errno;
    int result = madvise(p, bytes, MADV_DONTNEED);
    errno = saved;
    return result == 0;
}

static bool guard_by_split(void *p, size_t bytes)
{
    bw_lock(&split_lock);
    bool allowed = split_count < bw_policy_guard_split_cap;
    split_count += allowed;
    bw_unlock(&split_lock);
    return allowed && mprotect(p, bytes, PROT_NONE) == 0;
}

bool bw_pages_guard_cheaply(void *p, size_t bytes)
{
    if (bw_load_u32(&guard_kind) == GUARDS_SPLIT)
        return false;
    int saved = errno;
    bool stands = madvise(p, bytes, MADV_GUARD_INSTALL) == 0;
    if (stands)
        bw_store_u32(&guard_kind, GUARDS_CHEAP);
    else if (errno == EINVAL && bw_load_u32(&guard_kind) == GUARDS_UNKNOWN)
        bw_store_u32(&guard_kind, GUARDS_SPLIT);
    errno = saved;
    return stands;
}

bool bw_pages_unguard(void *p, size_t bytes)
{
    int saved = errno;
    int result = madvise(p, bytes, MADV_GUARD_REMOVE);
    errno = saved;
    return result == 0;
}

bool bw_pages_guard(void *p, size_t bytes)
{
    if (bw_pages_guard_cheaply(p, bytes))
        return true;
    int saved = errno;
    bool stands = bw_load_u32(&guard_kind) == GUARDS_SPLIT && guard_by_split(p, bytes);
    errno = saved;
    return stands;
}

bool bw_pages_has_cheap_guards(void)
{
    return bw_load_u32(&guard_kind) == GUARDS_CHEAP;
}

size_t bw_pages_limit(void)
{
    struct rlimit limit;
    int saved = errno;
    int result = getrlimit(RLIMIT_AS, &limit);
    errno = saved;
    return result != 0 || limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)limit.rlim_cur;
}

void bw_pages_entropy(void *to, size_t bytes)
{
    int saved = errno;
    size_t done = 0;
    while (done < bytes) {
        /* the C library's wrapper, so that a test rig can answer it from a seed */
        ssize_t got = getrandom((char *)to + done, bytes - done, 0);
        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            break;
    }
    if (done < bytes) {
        /* A sandbox without getrandom: the kernel's 16 start-up bytes and the clock. */
        const uint8_t *start = (const uint8_t *)getauxval(AT_RANDOM);
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        uint64_t time = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u + (uint64_t)getpid();
        for (; done < bytes; done++)
            ((uint8_t *)to)[done] =
                (uint8_t)((start != NULL ? start[done % 16] : 0) ^ (time >> done % 8 * 8));
    }
    errno = saved;
}

#include "pages.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/random.h>
#include <sys/syscall.h>
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
#ifndef MADV_KEEPONFORK
#define MADV_KEEPONFORK 19
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

/* MREMAP_DONTUNMAP, because the range is the allocator's until it is decommitted: nobody else may
 * be given it in between. */
bool bw_pages_move(void *to, void *from, size_t bytes)
{
    int saved = errno;
    void *got = mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
    errno = saved;
    return got == to;
}

enum { RESIDENT_AT_ONCE = 512 };

/* Counts the pages in memory, all of them if ret_resident is NULL. false = some are not mapped. */
static bool look_at(const uint8_t *p, size_t bytes, size_t *ret_resident)
{
    size_t page = bw_page_size();
    unsigned char seen[RESIDENT_AT_ONCE];
    for (size_t done = 0; done < bytes; done += sizeof seen * page) {
        size_t rest = bytes - done, part = rest < sizeof seen * page ? rest : sizeof seen * page;
        if (mincore((uint8_t *)p + done, part, seen) != 0)
            return false;
        for (size_t i = 0; i < part / page && ret_resident != NULL; i++)
            *ret_resident += seen[i] & 1;
    }
    return true;
}

size_t bw_pages_resident(const void *p, size_t bytes)
{
    int saved = errno;
    size_t count = 0;
    (void)look_at(p, bytes, &count);
    errno = saved;
    return count;
}

/* What of the source has content and of the target has not, as one of each pair of pages is empty
 * that a move can have left behind. */
static void merge_into(uint8_t *to, const uint8_t *from, size_t bytes)
{
    size_t page = bw_page_size();
    for (size_t at = 0; at < bytes; at += page)
        if (from[at] != 0 || memcmp(from + at, from + at + 1, page - 1) != 0)
            memcpy(to + at, from + at, page);
}

bool bw_pages_rejoin(void *to, void *from, size_t bytes)
{
    int saved = errno;
    size_t page = bw_page_size(), hole = 0, end = bytes;
    uint8_t *target = to, *source = from;
    bool whole = look_at(target, bytes, NULL);
    if (!whole) {
        /* the mapping that could not be moved has lost its target, which is one range */
        while (hole < bytes && look_at(target + hole, page, NULL))
            hole += page;
        while (end > hole && look_at(target + end - page, page, NULL))
            end -= page;
        whole = mmap(target + hole, end - hole, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                     0) == target + hole;
    }
    if (whole) {
        merge_into(target, source, bytes);
    } else {
        merge_into(source, target, hole);
        merge_into(source + end, target + end, bytes - end);
    }
    errno = saved;
    return whole;
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

bool bw_pages_make_plain(void *p, size_t bytes, bool all_resident)
{
    int saved = errno;
    if (!all_resident) /* a system without such guards does not know the call */
        (void)madvise(p, bytes, MADV_GUARD_REMOVE);
    bool plain = mprotect(p, bytes, PROT_READ | PROT_WRITE) == 0 &&
                 madvise(p, bytes, MADV_DOFORK) == 0 && madvise(p, bytes, MADV_KEEPONFORK) == 0 &&
                 madvise(p, bytes, MADV_DODUMP) == 0;
    errno = saved;
    return plain;
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
    if (!bw_policy_labels)
        return;
    int saved = errno;
    (void)prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, bytes, name);
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

bool bw_pages_guard(void *p, size_t bytes)
{
    int saved = errno;
    bool stands = false;
    if (bw_load_u32(&guard_kind) != GUARDS_SPLIT) {
        stands = madvise(p, bytes, MADV_GUARD_INSTALL) == 0;
        if (stands)
            bw_store_u32(&guard_kind, GUARDS_CHEAP);
        else if (errno == EINVAL)
            bw_store_u32(&guard_kind, GUARDS_SPLIT);
    }
    if (!stands && bw_load_u32(&guard_kind) == GUARDS_SPLIT)
        stands = guard_by_split(p, bytes);
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

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
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
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

/* Tests pretend to a larger page than the machine has. */
#ifndef BW_PRETENDED_PAGE
#define BW_PRETENDED_PAGE 0
#endif

static size_t real_page(void)
{
    static uint32_t page;
    uint32_t known = bw_load_u32(&page);
    if (known == 0) {
        known = (uint32_t)getauxval(AT_PAGESZ);
        bw_store_u32(&page, known);
    }
    return known;
}

static size_t page_size(const struct bw_pages *pages)
{
    (void)pages;
    size_t real = real_page(), pretended = BW_PRETENDED_PAGE;
    return real < pretended ? pretended : real;
}

static void *map(void *at, size_t bytes, int flags)
{
    return mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

/* Where the system's pages are smaller than those that are asked for: cut out of more. */
static void *map_aligned(size_t bytes)
{
    size_t page = page_size(NULL), more = page - real_page();
    if (bytes > SIZE_MAX - more)
        return MAP_FAILED;
    uint8_t *start = map(NULL, bytes + more, 0);
    if (start == MAP_FAILED || more == 0)
        return start;
    uint8_t *p = (uint8_t *)bw_round_up((uintptr_t)start, page);
    size_t before = (size_t)(p - start);
    if (before != 0)
        (void)munmap(start, before);
    if (before != more)
        (void)munmap(p + bytes, more - before);
    return p;
}

static void *reserve(const struct bw_pages *pages, void *at, size_t bytes)
{
    (void)pages;
    int saved = errno;
    void *p = at == NULL ? map_aligned(bytes) : map(at, bytes, MAP_FIXED_NOREPLACE);
    if (at != NULL && p != MAP_FAILED && p != at) { /* a kernel before 4.17 takes it as a hint */
        (void)munmap(p, bytes);
        p = MAP_FAILED;
    }
    errno = saved;
    return p == MAP_FAILED ? NULL : p;
}

static void release(const struct bw_pages *pages, void *p, size_t bytes)
{
    (void)pages;
    int saved = errno;
    (void)munmap(p, bytes);
    errno = bw_mutant(errno_lost) ? 0 : saved;
}

static bool commit(const struct bw_pages *pages, void *p, size_t bytes)
{
    (void)pages;
    int saved = errno;
    int result = mprotect(p, bytes, PROT_READ | PROT_WRITE);
    errno = saved;
    return result == 0;
}

static bool decommit(const struct bw_pages *pages, void *p, size_t bytes)
{
    (void)pages;
    int saved = errno;
    bool done = map(p, bytes, MAP_FIXED) == p;
    if (!done && mprotect(p, bytes, PROT_NONE) == 0) {
        /* no room for a mapping, or for locked memory: in those that are there. A guard would stay,
         * and locked pages need the newer advice */
        (void)madvise(p, bytes, MADV_GUARD_REMOVE);
        done =
            madvise(p, bytes, MADV_DONTNEED) == 0 || madvise(p, bytes, MADV_DONTNEED_LOCKED) == 0;
    }
    errno = bw_mutant(errno_lost) ? 0 : saved;
    return done;
}

static bool is_mapped(void *p, size_t bytes)
{
    int saved = errno;
    bool whole = msync(p, bytes, MS_ASYNC) == 0;
    errno = saved;
    return whole;
}

/* Where the size stays, MREMAP_DONTUNMAP, because the range is the allocator's until it is reserved
 * again: nobody else may be given it in between. A mapping that grows leaves a hole for a moment;
 * if another thread's mapping takes it, the place is lost. */
static bool move(const struct bw_pages *pages, void *to, size_t to_bytes, void *from, size_t bytes,
                 bool *ret_lost)
{
    int saved = errno;
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (to_bytes == bytes ? MREMAP_DONTUNMAP : 0);
    bool moved = mremap(from, bytes, to_bytes, flags, to) == to;
    errno = saved;
    if (!moved) /* some kernels have unmapped it, others have not */
        *ret_lost = reserve(pages, to, to_bytes) == NULL && !is_mapped(to, to_bytes);
    else if (to_bytes == bytes)
        *ret_lost = !decommit(pages, from, bytes);
    else
        *ret_lost = reserve(pages, from, bytes) == NULL;
    return moved;
}

/* Growing in place is refused for one reason or another: EFAULT says that p is in several mappings,
 * EAGAIN that it is locked in memory, of which there may not be that much. ENOMEM, the last to be
 * looked for, says that something stands behind it. */
static bool are_one(const struct bw_pages *pages, void *p, size_t bytes)
{
    (void)pages;
    int saved = errno;
    bool one = mremap(p, bytes, bytes + GROWN_FAR, 0) == MAP_FAILED && errno == ENOMEM;
    errno = saved;
    return one;
}

/* With fewer of the first pages in memory the next object is cheaper in new ones. */
enum { LOOKED_AT = 16, IN_MEMORY_MIN = 4 };

static bool are_in_memory(const struct bw_pages *pages, void *p, size_t bytes)
{
    (void)pages;
    int saved = errno;
    size_t most = LOOKED_AT * real_page(), count = 0;
    unsigned char seen[LOOKED_AT] = {0};
    if (mincore(p, bytes < most ? bytes : most, seen) == 0)
        for (size_t i = 0; i < LOOKED_AT; i++)
            count += seen[i] & 1;
    errno = saved;
    return count >= IN_MEMORY_MIN;
}

enum { CLEARED_MOST = 1024, PIECES_MAX = 4, DENSE_SHARE = 4 };

/* Pages out of memory are empty, or hold a guard of the program, or were swapped out, which nothing
 * tells apart. Few pieces are emptied; of many the pages are brought in. */
static bool clear(const struct bw_pages *pages, void *p, size_t bytes)
{
    (void)pages;
    int saved = errno;
    size_t page = real_page(), count = bytes / page, resident = 0, pieces = 0;
    unsigned char seen[CLEARED_MOST];
    bool done = count <= CLEARED_MOST && mincore(p, bytes, seen) == 0;
    for (size_t i = 0; done && i < count; i++) {
        resident += seen[i] & 1;
        pieces += (seen[i] & 1) == 0 && (i == 0 || (seen[i - 1] & 1) != 0);
    }
    bool all = pieces > PIECES_MAX;
    done = done && (!all || resident * DENSE_SHARE >= count) &&
           (pieces == 0 || madvise(p, bytes, MADV_GUARD_REMOVE) == 0);
    if (done && all)
        memset(p, 0, bytes);
    for (size_t from = 0, to; done && !all && from < count; from = to) {
        for (to = from + 1; to < count && ((seen[to] ^ seen[from]) & 1) == 0; to++)
            continue;
        uint8_t *start = (uint8_t *)p + from * page;
        if ((seen[from] & 1) != 0)
            memset(start, 0, (to - from) * page);
        else
            done = madvise(start, (to - from) * page, MADV_DONTNEED) == 0;
    }
    errno = saved;
    return done;
}

bool bw_pages_seal(void *p, size_t bytes)
{
    int saved = errno;
    int result = mprotect(p, bytes, PROT_READ);
    (void)syscall(SYS_mseal, p, bytes, 0ul);
    errno = saved;
    return result == 0;
}

static void label(const struct bw_pages *pages, void *p, size_t bytes, const char *name)
{
    (void)pages;
    static uint32_t unknown_to_the_system;
    if (!bw_policy_labels || bw_load_u32(&unknown_to_the_system) != 0)
        return;
    int saved = errno;
    if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, bytes, name) != 0 && errno == EINVAL)
        bw_store_u32(&unknown_to_the_system, 1);
    errno = saved;
}

static bool purge(const struct bw_pages *pages, void *p, size_t bytes)
{
    (void)pages;
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

/* An emulator may take advice that it does not know for followed: the first guard is tried. */
static void learn(void *guard, size_t bytes, int result)
{
    if (bw_load_u32(&guard_kind) != GUARDS_UNKNOWN || (result != 0 && errno != EINVAL))
        return;
    bool real = result == 0 && madvise(guard, bytes, MADV_POPULATE_READ) != 0;
    bw_store_u32(&guard_kind, real ? GUARDS_CHEAP : GUARDS_SPLIT);
}

static bool guard_cheaply(const struct bw_pages *pages, void *p, size_t bytes)
{
    (void)pages;
    if (bw_load_u32(&guard_kind) == GUARDS_SPLIT)
        return false;
    int saved = errno;
    int result = madvise(p, bytes, MADV_GUARD_INSTALL);
    learn(p, bytes, result);
    errno = saved;
    return result == 0 && bw_load_u32(&guard_kind) == GUARDS_CHEAP;
}

static bool unguard(const struct bw_pages *pages, void *p, size_t bytes)
{
    (void)pages;
    int saved = errno;
    int result = madvise(p, bytes, MADV_GUARD_REMOVE);
    errno = saved;
    return result == 0;
}

static bool guard(const struct bw_pages *pages, void *p, size_t bytes)
{
    if (guard_cheaply(pages, p, bytes))
        return true;
    int saved = errno;
    /* also where pages are locked, which have no cheap ones */
    bool stands = guard_by_split(p, bytes);
    errno = saved;
    return stands;
}

bool bw_pages_has_cheap_guards(void)
{
    return bw_load_u32(&guard_kind) == GUARDS_CHEAP;
}

static size_t limit(const struct bw_pages *pages)
{
    (void)pages;
    struct rlimit most;
    int saved = errno;
    int result = getrlimit(RLIMIT_AS, &most);
    errno = saved;
    return result != 0 || most.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)most.rlim_cur;
}

static void entropy(const struct bw_pages *pages, void *to, size_t bytes)
{
    (void)pages;
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

static bool populates(const struct bw_pages *pages, uintptr_t p, size_t bytes)
{
    uintptr_t in_page = p & (page_size(pages) - 1);
    return madvise((void *)(p - in_page), bytes + in_page, MADV_POPULATE_READ) == 0;
}

/* Kernels before 5.14 do not tell, not even of the stack: then it is taken for granted. */
static bool readable(const struct bw_pages *pages, const void *p, size_t bytes)
{
    int saved = errno;
    bool can = populates(pages, (uintptr_t)p, bytes) || !populates(pages, (uintptr_t)&saved, 1);
    errno = saved;
    return can;
}

static const struct bw_page_moves moves = {.move = move,
                                           .are_one = are_one,
                                           .are_in_memory = are_in_memory,
                                           .clear = clear,
                                           .guard = guard_cheaply,
                                           .unguard = unguard};

const struct bw_pages bw_system_pages = {.page_size = page_size,
                                         .reserve = reserve,
                                         .release = release,
                                         .commit = commit,
                                         .decommit = decommit,
                                         .purge = purge,
                                         .guard = guard,
                                         .limit = limit,
                                         .entropy = entropy,
                                         .label = label,
                                         .readable = readable,
                                         .moves = &moves};

/* ---- of any provider ---- */

static size_t reach(const struct bw_pages *pages)
{
    return bw_round_up(BW_PAGES_REACH, bw_page_size(pages));
}

void *bw_pages_apart(const struct bw_pages *pages, size_t bytes, const char *name)
{
    size_t inside = bw_round_up(bytes, bw_page_size(pages)), around = reach(pages);
    uint8_t *p = bw_pages_reserve(pages, inside + 2 * around);
    if (p == NULL)
        return NULL;
    if (!bw_pages_commit(pages, p + around, inside)) {
        bw_pages_release(pages, p, inside + 2 * around);
        return NULL;
    }
    bw_pages_label(pages, p, inside + 2 * around, name);
    return p + around;
}

void bw_pages_apart_end(const struct bw_pages *pages, void *p, size_t bytes)
{
    size_t inside = bw_round_up(bytes, bw_page_size(pages)), around = reach(pages);
    bw_pages_release(pages, (uint8_t *)p - around, inside + 2 * around);
}

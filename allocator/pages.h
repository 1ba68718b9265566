/* Where memory comes from: a provider of pages, as a struct of functions. The system's is in
 * pages.c, the one file that knows the operating system's memory calls; fixed.c makes one of memory
 * that its caller has already. No function here touches errno.
 *
 * Reserved memory costs address space only; committed memory is readable, writable and zero; a
 * guard faults on any access. Ranges are whole pages, of the provider's size. */
#ifndef BW_PAGES_H
#define BW_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scale.h"

struct bw_pages;

/* Moving content by pages, and what that needs: guards that come and go without a change to the
 * mapping. */
struct bw_page_moves {
    /* Moves committed pages that stand in one mapping, guards and all, without copying, to a
     * reserved place that has room for to_bytes, not less. All of `to` is committed then and `from`
     * reserved. false = no, `from` is as it was, and `to` reserved. *ret_lost = but that which
     * should be reserved may be somebody else's. */
    bool (*move)(const struct bw_pages *pages, void *to, size_t to_bytes, void *from, size_t bytes,
                 bool *ret_lost);
    /* Whether the pages, which have others behind them, are in one mapping, so that nobody has
     * asked anything of a part of them, and count against no limit of locked memory. */
    bool (*are_one)(const struct bw_pages *pages, void *p, size_t bytes);
    /* Whether enough of the first pages are in memory for the next object to gain by them. */
    bool (*are_in_memory)(const struct bw_pages *pages, void *p, size_t bytes);
    /* Committed pages that are one read as zero, those in memory stay there. false = not all of
     * them do: they are too scattered, so that giving them back costs less. */
    bool (*clear)(const struct bw_pages *pages, void *p, size_t bytes);
    bool (*guard)(const struct bw_pages *pages, void *p, size_t bytes);
    bool (*unguard)(const struct bw_pages *pages, void *p, size_t bytes);
};

/* Stands longer than the heaps that use it. Every function may be called by several threads at
 * once. */
struct bw_pages {
    /* A power of two, 4,096 at least (flat: 64). */
    size_t (*page_size)(const struct bw_pages *pages);
    /* Unreadable pages, where the provider can: anywhere (at NULL), or at exactly `at`. NULL = no
     * room, or something stands there already. */
    void *(*reserve)(const struct bw_pages *pages, void *at, size_t bytes);
    /* Any part of what was reserved. */
    void (*release)(const struct bw_pages *pages, void *p, size_t bytes);
    /* Makes reserved pages usable. false = out of memory or of mappings. */
    bool (*commit)(const struct bw_pages *pages, void *p, size_t bytes);
    /* Gives the memory back and makes the range unreadable again; it stays reserved. */
    bool (*decommit)(const struct bw_pages *pages, void *p, size_t bytes);
    /* Gives the memory back; the range stays committed and reads as zero. Guards inside stay. */
    bool (*purge)(const struct bw_pages *pages, void *p, size_t bytes);
    /* A guard inside committed memory. false = there is none. NULL: there never is. */
    bool (*guard)(const struct bw_pages *pages, void *p, size_t bytes);
    /* How much address space there is, SIZE_MAX if it need not be thought of. */
    size_t (*limit)(const struct bw_pages *pages);
    void (*entropy)(const struct bw_pages *pages, void *to, size_t bytes);
    /* The name of the pages, for who looks at the process. May be NULL. */
    void (*label)(const struct bw_pages *pages, void *p, size_t bytes, const char *name);
    /* Whether committed memory can be read still: its program may have taken it away. NULL: it
     * cannot. */
    bool (*readable)(const struct bw_pages *pages, const void *p, size_t bytes);
    /* NULL: content is copied. */
    const struct bw_page_moves *moves;
};

extern const struct bw_pages bw_system_pages;

/* The drop-in has no other, and takes none from memory that can be written. */
static inline const struct bw_pages *bw_pages_used(const struct bw_pages *pages)
{
#ifdef BW_SYSTEM_PAGES_ONLY
    (void)pages;
    return &bw_system_pages;
#else
    return pages;
#endif
}

static inline size_t bw_page_size(const struct bw_pages *pages)
{
    return bw_pages_used(pages)->page_size(pages);
}

static inline size_t bw_round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static inline void *bw_pages_reserve(const struct bw_pages *pages, size_t bytes)
{
    return bw_pages_used(pages)->reserve(pages, NULL, bytes);
}

static inline void *bw_pages_reserve_at(const struct bw_pages *pages, void *at, size_t bytes)
{
    return bw_pages_used(pages)->reserve(pages, at, bytes);
}

static inline void bw_pages_release(const struct bw_pages *pages, void *p, size_t bytes)
{
    bw_pages_used(pages)->release(pages, p, bytes);
}

static inline bool bw_pages_commit(const struct bw_pages *pages, void *p, size_t bytes)
{
    return bw_pages_used(pages)->commit(pages, p, bytes);
}

/* Makes pages usable that may not even be reserved (sparse): then they are, if nothing stands
 * there.
 */
static inline bool bw_pages_extend(const struct bw_pages *pages, void *p, size_t bytes, bool sparse)
{
    if (!sparse)
        return bw_pages_commit(pages, p, bytes);
    if (bw_pages_reserve_at(pages, p, bytes) == NULL)
        return false;
    if (bw_pages_commit(pages, p, bytes))
        return true;
    bw_pages_release(pages, p, bytes);
    return false;
}

static inline bool bw_pages_decommit(const struct bw_pages *pages, void *p, size_t bytes)
{
    return bw_pages_used(pages)->decommit(pages, p, bytes);
}

static inline bool bw_pages_purge(const struct bw_pages *pages, void *p, size_t bytes)
{
    return bw_pages_used(pages)->purge(pages, p, bytes);
}

static inline bool bw_pages_have_guards(const struct bw_pages *pages)
{
    return bw_pages_used(pages)->guard != NULL;
}

static inline bool bw_pages_guard(const struct bw_pages *pages, void *p, size_t bytes)
{
    return bw_pages_have_guards(pages) && bw_pages_used(pages)->guard(pages, p, bytes);
}

static inline size_t bw_pages_limit(const struct bw_pages *pages)
{
    return bw_pages_used(pages)->limit(pages);
}

static inline void bw_pages_entropy(const struct bw_pages *pages, void *to, size_t bytes)
{
    bw_pages_used(pages)->entropy(pages, to, bytes);
}

static inline void bw_pages_label(const struct bw_pages *pages, void *p, size_t bytes,
                                  const char *name)
{
    if (bw_pages_used(pages)->label != NULL)
        bw_pages_used(pages)->label(pages, p, bytes, name);
}

/* Of the pages that the bytes stand in. */
static inline bool bw_pages_are_readable(const struct bw_pages *pages, const void *p, size_t bytes)
{
    return bw_pages_used(pages)->readable == NULL ||
           bw_pages_used(pages)->readable(pages, p, bytes);
}

/* The functions of bw_page_moves; all of them fail where the provider has none. */
static inline bool bw_pages_can_move(const struct bw_pages *pages)
{
    return bw_pages_used(pages)->moves != NULL;
}

static inline bool bw_pages_move(const struct bw_pages *pages, void *to, size_t to_bytes,
                                 void *from, size_t bytes, bool *ret_lost)
{
    return bw_pages_can_move(pages) &&
           bw_pages_used(pages)->moves->move(pages, to, to_bytes, from, bytes, ret_lost);
}

static inline bool bw_pages_are_one(const struct bw_pages *pages, void *p, size_t bytes)
{
    return bw_pages_can_move(pages) && bw_pages_used(pages)->moves->are_one(pages, p, bytes);
}

static inline bool bw_pages_are_in_memory(const struct bw_pages *pages, void *p, size_t bytes)
{
    return bw_pages_can_move(pages) && bw_pages_used(pages)->moves->are_in_memory(pages, p, bytes);
}

static inline bool bw_pages_clear(const struct bw_pages *pages, void *p, size_t bytes)
{
    return bw_pages_can_move(pages) && bw_pages_used(pages)->moves->clear(pages, p, bytes);
}

static inline bool bw_pages_guard_cheaply(const struct bw_pages *pages, void *p, size_t bytes)
{
    return bw_pages_can_move(pages) && bw_pages_used(pages)->moves->guard(pages, p, bytes);
}

static inline bool bw_pages_unguard(const struct bw_pages *pages, void *p, size_t bytes)
{
    return bw_pages_can_move(pages) && bw_pages_used(pages)->moves->unguard(pages, p, bytes);
}

/* Committed pages for so many bytes in a reservation of their own, out of reach of what stands
 * before and behind, and their end. NULL where there is no room. */
void *bw_pages_apart(const struct bw_pages *pages, size_t bytes, const char *name);
void bw_pages_apart_end(const struct bw_pages *pages, void *p, size_t bytes);

/* Of the system alone. Read-only from now on, and by no call to be changed again where the kernel
 * has mseal. Returns whether the pages are read-only. */
bool bw_pages_seal(void *p, size_t bytes);
/* Whether its guards are made by MADV_GUARD_INSTALL, which costs no mapping; else by mprotect, up
 * to bw_policy_guard_split_cap of them. Known after the first guard. */
bool bw_pages_has_cheap_guards(void);

#endif

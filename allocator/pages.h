/* The one file that knows the operating system's memory calls. No function here touches errno.
 *
 * Reserved memory is PROT_NONE and costs address space only; committed memory is readable, writable
 * and zero; a guard faults on any access. */
#ifndef BW_PAGES_H
#define BW_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t bw_page_size(void);
static inline size_t bw_round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* Returns NULL where there is no room. */
void *bw_pages_reserve(size_t bytes);
/* The same at exactly p, or NULL where anything stands there already. */
void *bw_pages_reserve_at(void *p, size_t bytes);
void bw_pages_release(void *p, size_t bytes);
/* Makes reserved pages usable. false = out of memory or of mappings. */
bool bw_pages_commit(void *p, size_t bytes);
/* Gives the memory back and makes the range unreadable again; the address stays reserved. */
bool bw_pages_decommit(void *p, size_t bytes);
/* Moves committed pages that stand in one mapping, guards and all, without copying, to a reserved
 * place that has room for to_bytes, not less. All of `to` is committed then and `from` reserved.
 * false = no, `from` is as it was, and `to` reserved. *ret_lost = but that which should be reserved
 * may be somebody else's. */
bool bw_pages_move(void *to, size_t to_bytes, void *from, size_t bytes, bool *ret_lost);
/* Whether the pages, which have others behind them, are in one mapping, so that nobody has asked
 * anything of a part of them, and count against no limit of locked memory. */
bool bw_pages_are_one(void *p, size_t bytes);
/* Committed pages that are one read as zero, those in memory stay there. false = too few of them
 * are, so that giving them back costs less, or others may have been swapped out. */
bool bw_pages_clear(void *p, size_t bytes);
/* Read-only from now on, and by no call to be changed again where the kernel has mseal. Returns
 * whether the pages are read-only. */
bool bw_pages_seal(void *p, size_t bytes);
/* The name of the pages in /proc/PID/maps, where the kernel has such names. */
void bw_pages_label(void *p, size_t bytes, const char *name);
/* Committed pages for so many bytes in a reservation of their own, an unreadable page on each side,
 * and their end. NULL where there is no room. */
void *bw_pages_apart(size_t bytes, const char *name);
void bw_pages_apart_end(void *p, size_t bytes);
/* Gives the memory back; the range stays committed and reads as zero. Guards inside stay. */
bool bw_pages_purge(void *p, size_t bytes);
/* A guard inside committed memory: MADV_GUARD_INSTALL, which costs no mapping; else mprotect, up to
 * bw_policy_guard_split_cap of them. Returns whether the guard stands. */
bool bw_pages_guard(void *p, size_t bytes);
/* The first kind only, which comes and goes without a change to the mapping. */
bool bw_pages_guard_cheaply(void *p, size_t bytes);
bool bw_pages_unguard(void *p, size_t bytes);
/* Known after the first guard. */
bool bw_pages_has_cheap_guards(void);

/* The address space limit of the process in bytes, SIZE_MAX if there is none. */
size_t bw_pages_limit(void);
void bw_pages_entropy(void *to, size_t bytes);

#endif

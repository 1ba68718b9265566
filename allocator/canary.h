/* What stands in memory that no program owns: the keyed pattern between an object's requested size
 * and the end of its slot, and zero in freed slots.
 *
 * The slack always ends at a multiple of 16 and is handled backwards from there, 16 bytes at a
 * time; the block that holds the object's last bytes is masked. Every pattern byte has its top bit
 * set, so that a NUL or an ASCII byte written past the end never looks like the pattern. */
#ifndef BW_CANARY_H
#define BW_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "policy.h"

typedef uint64_t bw_block __attribute__((vector_size(16), may_alias));
typedef uint64_t bw_block_anywhere __attribute__((vector_size(16), may_alias, aligned(1)));

static const uint8_t bw_canary_mask[32] = {[16] = 255, 255, 255, 255, 255, 255, 255, 255,
                                           255,        255, 255, 255, 255, 255, 255, 255};

/* The pattern differs from slot to slot, and one that leaked is no key to another: half of the
 * product is folded away. */
static inline bw_block bw_canary_pattern(uint64_t secret, uintptr_t slot)
{
    uint64_t factor = secret << 32 | secret >> 32 | 1;
    unsigned __int128 product = (unsigned __int128)(slot ^ secret) * factor;
    uint64_t hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    return (bw_block){hash | 0x8080808080808080u, (hash << 17 | hash >> 47) | 0x8080808080808080u};
}

/* Which of a block's bytes belong to the last `slack` (1..16) bytes. */
static inline bw_block bw_canary_select(size_t slack)
{
    return *(const bw_block_anywhere *)(bw_canary_mask + slack);
}

/* The `slack` bytes before `end` become the pattern of `slot`; bytes of their first block that are
 * not among them become zero, unless they are kept. */
static inline __attribute__((always_inline)) void
bw_canary_write(uint64_t secret, void *slot, uint8_t *end, size_t slack, bool keep)
{
    if (!bw_policy_canary || slack == 0)
        return;
    bw_block pattern = bw_canary_pattern(secret, (uintptr_t)slot);
    while (__builtin_expect(slack > 16, 0)) {
        end -= 16;
        slack -= 16;
        *(bw_block *)end = pattern;
    }
    bw_block *last = (bw_block *)(end - 16);
    bw_block mask = bw_canary_select(slack);
    bw_block kept = {0, 0};
    if (keep)
        kept = *last & ~mask;
    *last = kept | (pattern & mask);
}

static inline void bw_canary_fill(uint64_t secret, void *slot, uint8_t *end, size_t slack)
{
    bw_canary_write(secret, slot, end, slack, true);
}

static inline bool bw_canary_intact(uint64_t secret, const void *slot, const uint8_t *end,
                                    size_t slack)
{
    if (!bw_policy_canary || slack == 0)
        return true;
    bw_block pattern = bw_canary_pattern(secret, (uintptr_t)slot);
    bw_block damage = {0, 0};
    while (__builtin_expect(slack > 16, 0)) {
        end -= 16;
        slack -= 16;
        damage |= *(const bw_block *)end ^ pattern;
    }
    damage |= (*(const bw_block *)(end - 16) ^ pattern) & bw_canary_select(slack);
    return (damage[0] | damage[1]) == 0;
}

/* Offset from `slot` of the first damaged byte of a slack that is not intact. For the message. */
size_t bw_canary_first_damaged(uint64_t secret, const uint8_t *slot, const uint8_t *end,
                               size_t slack);
/* The end of the last damaged byte. */
const uint8_t *bw_canary_last_damaged(uint64_t secret, const uint8_t *slot, const uint8_t *end,
                                      size_t slack);

/* Zero, and whether it is: p aligned to 16, bytes a multiple of 16. What is not a power of two is
 * covered by two that overlap, so that nothing depends on a loop's last round. */

static inline bw_block bw_ored_2(const bw_block *p)
{
    return p[0] | p[1];
}

static inline bw_block bw_ored_4(const bw_block *p)
{
    return bw_ored_2(p) | bw_ored_2(p + 2);
}

static inline bw_block bw_ored_8(const bw_block *p)
{
    return bw_ored_4(p) | bw_ored_4(p + 4);
}

/* bytes at least 128. */
bool bw_is_zero_long(const void *p, size_t bytes);

static inline bool bw_is_zero(const void *p, size_t bytes)
{
    const bw_block *at = p, *end = (const bw_block *)((const uint8_t *)p + bytes);
    bw_block seen;
    if (bytes <= 32) {
        if (bytes == 0)
            return true;
        seen = at[0] | end[-1];
    } else if (bytes <= 64) {
        seen = bw_ored_2(at) | bw_ored_2(end - 2);
    } else if (bytes <= 128) {
        seen = bw_ored_4(at) | bw_ored_4(end - 4);
    } else if (bytes > 256) {
        return bw_is_zero_long(p, bytes);
    } else {
        seen = bw_ored_8(at) | bw_ored_8(end - 8);
    }
    return (seen[0] | seen[1]) == 0;
}

static inline void bw_clear_2(bw_block *p)
{
    p[0] = p[1] = (bw_block){0, 0};
}

static inline void bw_clear_4(bw_block *p)
{
    bw_clear_2(p);
    bw_clear_2(p + 2);
}

static inline void bw_clear_8(bw_block *p)
{
    bw_clear_4(p);
    bw_clear_4(p + 4);
}

static inline void bw_zero(void *p, size_t bytes)
{
    bw_block *at = p, *end = (bw_block *)((uint8_t *)p + bytes);
    if (bytes <= 32) {
        if (bytes == 0)
            return;
        at[0] = (bw_block){0, 0};
        end[-1] = (bw_block){0, 0};
    } else if (bytes <= 64) {
        bw_clear_2(at);
        bw_clear_2(end - 2);
    } else if (bytes <= 128) {
        bw_clear_4(at);
        bw_clear_4(end - 4);
    } else if (bytes <= 256) {
        bw_clear_8(at);
        bw_clear_8(end - 8);
    } else {
        memset(p, 0, bytes);
    }
}

size_t bw_first_nonzero(const uint8_t *p, size_t bytes);

#endif

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

/* The pattern differs from slot to slot, so that one that leaked is no key to another. */
static inline bw_block bw_canary_pattern(uint64_t secret, uintptr_t slot)
{
    uint64_t hash = (slot ^ secret) * 0x9fb21c651e98df25u;
    hash ^= hash >> 32;
    hash *= 0x9fb21c651e98df25u;
    hash ^= hash >> 29;
    return (bw_block){hash | 0x8080808080808080u, (hash << 17 | hash >> 47) | 0x8080808080808080u};
}

/* Which of a block's bytes belong to the last `slack` (1..16) bytes. */
static inline bw_block bw_canary_select(size_t slack)
{
    return *(const bw_block_anywhere *)(bw_canary_mask + slack);
}

/* The `slack` bytes before `end` become the pattern of `slot`. */
static inline void bw_canary_fill(uint64_t secret, void *slot, uint8_t *end, size_t slack)
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
    *last = (*last & ~mask) | (pattern & mask);
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

/* bytes a multiple of 16, p aligned to 16. */
static inline bool bw_is_zero(const void *p, size_t bytes)
{
    const bw_block *at = p;
    const bw_block *end = (const bw_block *)((const uint8_t *)p + bytes);
    bw_block seen = {0, 0};
    for (; end - at >= 8; at += 8) {
        seen |= at[0] | at[1] | at[2] | at[3] | at[4] | at[5] | at[6] | at[7];
        if ((seen[0] | seen[1]) != 0)
            return false;
    }
    for (; at < end; at++)
        seen |= *at;
    return (seen[0] | seen[1]) == 0;
}

static inline void bw_zero(void *p, size_t bytes)
{
    if (bytes > 256) {
        memset(p, 0, bytes);
        return;
    }
    bw_block *at = p;
    for (size_t i = 0; i < bytes / 16; i++)
        at[i] = (bw_block){0, 0};
}

size_t bw_first_nonzero(const uint8_t *p, size_t bytes);

#endif

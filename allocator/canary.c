#include "canary.h"

size_t bw_canary_first_damaged(uint64_t secret, const uint8_t *slot, const uint8_t *end,
                               size_t slack)
{
    bw_block pattern = bw_canary_pattern(secret, (uintptr_t)slot);
    const uint8_t *bytes = (const uint8_t *)&pattern;
    for (const uint8_t *at = end - slack; at < end; at++) {
        if (*at != bytes[(uintptr_t)at % 16])
            return (size_t)(at - slot);
    }
    return (size_t)(end - slot);
}

const uint8_t *bw_canary_last_damaged(uint64_t secret, const uint8_t *slot, const uint8_t *end,
                                      size_t slack)
{
    bw_block pattern = bw_canary_pattern(secret, (uintptr_t)slot);
    const uint8_t *bytes = (const uint8_t *)&pattern;
    const uint8_t *at = end;
    while (at > end - slack && at[-1] == bytes[((uintptr_t)at - 1) % 16])
        at--;
    return at;
}

size_t bw_first_nonzero(const uint8_t *p, size_t bytes)
{
    size_t at = 0;
    while (at < bytes && p[at] == 0)
        at++;
    return at;
}

static bool is_zero_by_16(const void *p, size_t bytes)
{
    const bw_block *at = p, *end = (const bw_block *)((const uint8_t *)p + bytes);
    bw_block seen = bw_ored_8(end - 8);
    for (; bytes > 128 && (seen[0] | seen[1]) == 0; bytes -= 128, at += 8)
        seen = bw_ored_8(at);
    return (seen[0] | seen[1]) == 0;
}

#ifdef __x86_64__
typedef uint64_t wide_block __attribute__((vector_size(32), may_alias, aligned(16)));

static __attribute__((target("avx2"))) bool is_zero_by_32(const void *p, size_t bytes)
{
    const wide_block *at = p, *end = (const wide_block *)((const uint8_t *)p + bytes);
    wide_block seen = end[-4] | end[-3] | end[-2] | end[-1];
    for (; bytes > 256; bytes -= 256, at += 8) {
        seen |= (at[0] | at[1] | at[2] | at[3]) | (at[4] | at[5] | at[6] | at[7]);
        if ((seen[0] | seen[1] | seen[2] | seen[3]) != 0)
            return false;
    }
    if (bytes > 128)
        seen |= at[0] | at[1] | at[2] | at[3];
    return (seen[0] | seen[1] | seen[2] | seen[3]) == 0;
}
#endif

bool bw_is_zero_long(const void *p, size_t bytes)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return is_zero_by_32(p, bytes);
#endif
    return is_zero_by_16(p, bytes);
}

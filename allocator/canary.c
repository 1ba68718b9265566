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

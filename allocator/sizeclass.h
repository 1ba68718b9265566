/* Size classes: 0 bytes (unreadable), then steps of 16 to 128, then four per doubling to 128 KiB. A
 * request of n bytes needs n + 1 where canaries are on, so that every object ends in a canary byte.
 */
#ifndef BW_SIZECLASS_H
#define BW_SIZECLASS_H

#include <stddef.h>
#include <stdint.h>

#include "mutant.h"
#include "scale.h"

enum {
    BW_CLASS_COUNT = BW_FLAT ? 3 : 49,
    BW_SLOT_MAX = BW_FLAT ? 32 : 131072,
    BW_SLOT_ALIGNMENT_MAX = 4096,
    BW_SLACK_MAX = 32766, /* what a slot's record can tell of the bytes beyond the request */
    BW_CANARY_MIN = bw_policy_canary ? 1 : 0,
    BW_REQUEST_MAX = BW_SLOT_MAX - BW_CANARY_MIN, /* larger requests are large objects */
};

enum { BW_CLASS_OF_QUICK = BW_FLAT ? BW_SLOT_MAX : 1024 };

/* The classes of 0, 16, 32, ... 1,024 bytes. */
static const uint8_t bw_class_by_16[65] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  9,  10, 10, 11, 11, 12, 12, 13, 13, 13, 13, 14,
    14, 14, 14, 15, 15, 15, 15, 16, 16, 16, 16, 17, 17, 17, 17, 17, 17, 17, 17, 18, 18, 18,
    18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19, 20, 20, 20, 20, 20, 20, 20, 20};

/* need in [1, BW_SLOT_MAX]. */
static inline unsigned bw_class_of(size_t need)
{
    if (__builtin_expect(need <= BW_CLASS_OF_QUICK, 1))
        return bw_class_by_16[(need + 15) >> 4];
    unsigned doubling = 63u - (unsigned)__builtin_clzl(need - 1);
    return 9 + (doubling - 7) * 4 + (unsigned)((need - 1) >> (doubling - 2)) - 4;
}

/* Class 0 has slots of 16 unreadable bytes: its objects are told apart by address only. */
static inline uint32_t bw_class_size(unsigned index)
{
    if (index == 0)
        return 16;
    if (index <= 8)
        return index * 16;
    return (5 + (index - 9) % 4) << (5 + (index - 9) / 4);
}

/* The class of a request: size in [0, BW_REQUEST_MAX], alignment a power of two up to
 * BW_SLOT_ALIGNMENT_MAX. Returns BW_CLASS_COUNT where no class will do. */
static inline unsigned bw_class_for(size_t size, size_t alignment)
{
    if (alignment <= (bw_mutant(alignment_ignored) ? 64 : 16))
        return size == 0 ? 0 : bw_class_of(size + BW_CANARY_MIN - (bw_mutant(class_edge) ? 2 : 0));
    size_t need = (size + BW_CANARY_MIN + alignment - 1) & ~(alignment - 1);
    if (need == 0)
        need = alignment;
    if (need > BW_SLOT_MAX)
        return BW_CLASS_COUNT;
    unsigned index = bw_class_of(need);
    while (index < BW_CLASS_COUNT && (bw_class_size(index) & (alignment - 1)) != 0 &&
           !bw_mutant(alignment_unsought))
        index++;
    return index;
}

#endif

/* CHERI Concentrate: what a capability's bounds become when they are compressed.
 *
 * A capability keeps base and top with a mantissa of MW bits, so the bounds of a long object are
 * rounded outwards. Source: Woodruff et al., CHERI Concentrate: Practical Compressed Capabilities,
 * IEEE Transactions on Computers 68(10), 2019; the closed form of the alignment mask and of the
 * representable length follows CRAM and CRRL of the CHERI ISA. MW is 14 for 128-bit capabilities
 * (v9), 16 for Morello, 8 for 64-bit ones. Pure arithmetic. */
#ifndef ASSAY_REPRESENTABLE_H
#define ASSAY_REPRESENTABLE_H

#include <stdint.h>

/* Base and top must be clear of the low bits that the mask leaves out. All ones: any bounds of this
 * length are exact. mantissa: 5 to 32. */
static inline uint64_t assay_representable_mask(uint64_t length, unsigned mantissa)
{
    if (length < UINT64_C(1) << (mantissa - 2))
        return UINT64_MAX;
    unsigned top = 63 - (unsigned)__builtin_clzll(length);
    unsigned low = top - (mantissa - 2) + 3;
    uint64_t mask = UINT64_MAX << low;
    uint64_t rounded = (length + ~mask) & mask;
    if (rounded == 0 || 63 - (unsigned)__builtin_clzll(rounded) != top)
        mask <<= 1;
    return mask;
}

/* The least length that is exact at an aligned base; 0 when it does not fit 64 bits. */
static inline uint64_t assay_representable_length(uint64_t length, unsigned mantissa)
{
    uint64_t mask = assay_representable_mask(length, mantissa);
    return mask == UINT64_MAX ? length : (length + ~mask) & mask;
}

/* The bounds [*from, *to) that a capability for [base, base + length) gets. */
static inline void assay_representable_bounds(uint64_t base, uint64_t length, unsigned mantissa,
                                              uint64_t *ret_from, uint64_t *ret_to)
{
    uint64_t mask = assay_representable_mask(length, mantissa);
    for (;;) {
        uint64_t from = base & mask, to = (base + length + ~mask) & mask;
        if (to < base) /* the end of the address space */
            to = UINT64_MAX;
        uint64_t wider = assay_representable_mask(to - from, mantissa);
        *ret_from = from;
        *ret_to = to;
        if (mask == UINT64_MAX || wider >= mask) /* rounding outwards may take a coarser step */
            return;
        mask = wider;
    }
}

#endif

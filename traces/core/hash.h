/* Checksums and mixing: CRC-32C (Castagnoli, RFC 3720 appendix B.4) and a 64-bit finaliser. Not for
 * secrets. Allocates nothing. */
#ifndef ASSAY_CORE_HASH_H
#define ASSAY_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* crc is the result for the bytes before (0 at the start). */
uint32_t assay_crc32c(uint32_t crc, const void *bytes, size_t n);

/* splitmix64's finaliser: a bijection whose every output bit depends on every input bit. */
static inline uint64_t assay_mix64(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

#endif

/* Bounded byte streams: little-endian integers and LEB128 varints over memory that the caller owns.
 *
 * Both sides remember failure instead of returning it at each step: a reader that ran past its end
 * gives zeros and has bad set, a writer that lacks room drops the bytes and has full set. Check
 * once at the end. Allocates nothing. */
#ifndef ASSAY_CORE_BYTES_H
#define ASSAY_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ASSAY_VARINT_MAX 10 /* bytes of the longest varint */

struct assay_bytes_in {
    const uint8_t *at, *end;
    bool bad;
};

struct assay_bytes_out {
    uint8_t *at, *end;
    bool full;
};

/* Returns n bytes inside the stream, or NULL (bad is set). */
static inline const uint8_t *assay_bytes_take(struct assay_bytes_in *in, size_t n)
{
    if ((size_t)(in->end - in->at) < n) {
        in->at = in->end;
        in->bad = true;
        return NULL;
    }
    const uint8_t *bytes = in->at;
    in->at += n;
    return bytes;
}

static inline uint8_t assay_bytes_get_u8(struct assay_bytes_in *in)
{
    const uint8_t *p = assay_bytes_take(in, 1);
    return p ? *p : 0;
}

static inline uint32_t assay_bytes_get_u32(struct assay_bytes_in *in)
{
    const uint8_t *p = assay_bytes_take(in, 4);
    return p ? (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24
             : 0;
}

/* A varint longer than 10 bytes or above 2^64-1 is bad. */
static inline uint64_t assay_bytes_get_varint(struct assay_bytes_in *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = assay_bytes_get_u8(in);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    in->bad = true;
    return 0;
}

static inline void assay_bytes_put(struct assay_bytes_out *out, const void *bytes, size_t n)
{
    if ((size_t)(out->end - out->at) < n) {
        out->full = true;
        return;
    }
    if (n > 0)
        memcpy(out->at, bytes, n);
    out->at += n;
}

static inline void assay_bytes_put_u8(struct assay_bytes_out *out, uint8_t value)
{
    assay_bytes_put(out, &value, 1);
}

static inline void assay_bytes_put_u32(struct assay_bytes_out *out, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                              (uint8_t)(value >> 24)};
    assay_bytes_put(out, bytes, sizeof bytes);
}

static inline void assay_bytes_put_varint(struct assay_bytes_out *out, uint64_t value)
{
    while (value >= 0x80) {
        assay_bytes_put_u8(out, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    assay_bytes_put_u8(out, (uint8_t)value);
}

/* Small magnitudes of either sign become small numbers: 0, -1, 1, -2 -> 0, 1, 2, 3. */
static inline uint64_t assay_zigzag(uint64_t difference)
{
    return (difference << 1) ^ (0 - (difference >> 63));
}

static inline uint64_t assay_unzigzag(uint64_t value)
{
    return (value >> 1) ^ (0 - (value & 1));
}

#endif

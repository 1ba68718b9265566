/* The touch unit: fills, verifies and scans memory, so that content needs no storage.
 *
 * Word j of an object is key + j * stride, with key an invertible mix of (seed, object, epoch):
 * what any byte should be can be computed, and a foreign word tells whose pattern it is. Byte i of
 * an object belongs to word i / 8, counted from the object's start, whatever its address. Allocates
 * nothing, knows neither subjects nor events; the caller sees to it that the memory may be touched.
 */
#ifndef ASSAY_TOUCH_H
#define ASSAY_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ASSAY_TOUCH_WHOLE_BYTES = 1024, /* up to here an object is touched whole */
    ASSAY_TOUCH_HEAD_BYTES = 128,   /* beyond: these first bytes, */
    ASSAY_TOUCH_TAIL_BYTES = 64,    /* these last bytes, */
    ASSAY_TOUCH_WORDS = 8,          /* this many words between, whose places differ by object, */
    ASSAY_TOUCH_WHOLE_ONE_IN = 16,  /* and this share of the objects whole, */
    ASSAY_TOUCH_SELDOM_BEYOND = 1 << 20,
    ASSAY_TOUCH_SELDOM_ONE_IN = 64, /* of these fewer: they cost page faults by the thousand; */
    /* never more than this: programs reserve gigabytes that they do not use */
    ASSAY_TOUCH_WHOLE_MAX = 64 << 20
};

#define ASSAY_TOUCH_STRIDE UINT64_C(0x9e3779b97f4a7c15)

/* What is known of an object's content: pattern `key` in [0, bytes), except [run_from, run_to),
 * where a later write left `run_key` (run_from == run_to: no such run). */
struct assay_content {
    char *base;
    uint64_t bytes;
    uint64_t key;
    bool whole;
    uint64_t run_from, run_to, run_key;
};

/* The finaliser of splitmix64: a bijection of 64-bit words. */
static inline uint64_t assay_touch_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Marks a key as ours: 16 bits that a foreign word has by chance once in 65536. */
#define ASSAY_TOUCH_TAG (UINT64_C(0xa55a) << 48)

/* The key for mixed = assay_touch_mix(seed): what a loop over many objects calls. */
static inline uint64_t assay_touch_mixed_key(uint64_t mixed, uint32_t object, uint16_t epoch)
{
    return assay_touch_mix((ASSAY_TOUCH_TAG | (uint64_t)epoch << 32 | object) ^ mixed);
}
uint64_t assay_touch_key(uint64_t seed, uint32_t object, uint16_t epoch);
/* The inverse. Returns false if no object has this key. */
bool assay_touch_whose_key(uint64_t seed, uint64_t key, uint32_t *ret_object, uint16_t *ret_epoch);
/* Whose pattern has `word` as one of its first `words` words? Linear in words: for evidence only.
 * objects is the highest object number that may be the answer. */
bool assay_touch_whose_word(uint64_t seed, uint64_t word, uint64_t words, uint32_t objects,
                            uint32_t *ret_object, uint16_t *ret_epoch);

/* Bytes [from, to) of the pattern `key` of an object at base. */
void assay_touch_fill(char *base, uint64_t key, uint64_t from, uint64_t to);
/* Returns the offset of the first wrong byte in [from, to), or to. */
uint64_t assay_touch_verify(const char *base, uint64_t key, uint64_t from, uint64_t to);
/* Returns the offset of the first byte in [from, to) that is not zero, or to. */
uint64_t assay_touch_zero(const char *base, uint64_t from, uint64_t to);
/* Reads one byte of every cache line in [from, to). */
void assay_touch_read(const char *base, uint64_t from, uint64_t to);

/* The same for the touched part of an object: all of it, or head, tail and rotating words. */
void assay_content_fill(const struct assay_content *content);
/* Touched bytes below limit only. Returns the first wrong offset, or UINT64_MAX when all is well.
 */
uint64_t assay_content_verify(const struct assay_content *content, uint64_t limit);
/* Bytes from `from` on. */
uint64_t assay_content_zero(const struct assay_content *content, uint64_t from);
/* True if objects of this size and number are touched whole. */
static inline bool assay_content_whole(uint64_t bytes, uint32_t object, bool content_full)
{
    uint64_t one_in =
        bytes <= ASSAY_TOUCH_SELDOM_BEYOND ? ASSAY_TOUCH_WHOLE_ONE_IN : ASSAY_TOUCH_SELDOM_ONE_IN;
    return bytes <= ASSAY_TOUCH_WHOLE_BYTES ||
           (bytes <= ASSAY_TOUCH_WHOLE_MAX &&
            (content_full || assay_touch_mix(object) % one_in == 0));
}
/* The bytes that ought to stand at [offset, offset + 8). */
uint64_t assay_content_expected(const struct assay_content *content, uint64_t offset);

#endif

#include "traces/runner/touch.h"

#include <string.h>

typedef uint64_t lanes __attribute__((vector_size(16), aligned(1), may_alias));

static inline uint64_t unmix(uint64_t z)
{
    z = (z ^ (z >> 31) ^ (z >> 62)) * UINT64_C(0x319642b2d24d8ec3);
    z = (z ^ (z >> 27) ^ (z >> 54)) * UINT64_C(0x96de1b173f119089);
    return z ^ (z >> 30) ^ (z >> 60);
}

uint64_t assay_touch_key(uint64_t seed, uint32_t object, uint16_t epoch)
{
    return assay_touch_mixed_key(assay_touch_mix(seed), object, epoch);
}

bool assay_touch_whose_key(uint64_t seed, uint64_t key, uint32_t *ret_object, uint16_t *ret_epoch)
{
    uint64_t plain = unmix(key) ^ assay_touch_mix(seed);
    if (plain >> 48 != ASSAY_TOUCH_TAG >> 48)
        return false;
    *ret_object = (uint32_t)plain;
    *ret_epoch = (uint16_t)(plain >> 32);
    return true;
}

bool assay_touch_whose_word(uint64_t seed, uint64_t word, uint64_t words, uint32_t objects,
                            uint32_t *ret_object, uint16_t *ret_epoch)
{
    for (uint64_t j = 0; j < words; j++) {
        uint32_t object;
        uint16_t epoch;
        /* tag and a small epoch and a plausible number: a chance hit is below 2^-20 per try */
        if (assay_touch_whose_key(seed, word - j * ASSAY_TOUCH_STRIDE, &object, &epoch) &&
            object > 0 && object <= objects && epoch < 256) {
            *ret_object = object;
            *ret_epoch = epoch;
            return true;
        }
    }
    return false;
}

static inline uint64_t load(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline void store(char *p, uint64_t word)
{
    memcpy(p, &word, sizeof word);
}

static inline lanes lanes_from(uint64_t word)
{
    return (lanes){word, word + ASSAY_TOUCH_STRIDE};
}

/* 64 bytes, the first word being `word`. */
static inline void fill_block(char *p, lanes a)
{
    const lanes two = {2 * ASSAY_TOUCH_STRIDE, 2 * ASSAY_TOUCH_STRIDE};
    lanes b = a + two, c = b + two, d = c + two;
    *(lanes *)p = a;
    *(lanes *)(p + 16) = b;
    *(lanes *)(p + 32) = c;
    *(lanes *)(p + 48) = d;
}

static inline lanes differ_block(const char *p, lanes a)
{
    const lanes two = {2 * ASSAY_TOUCH_STRIDE, 2 * ASSAY_TOUCH_STRIDE};
    lanes b = a + two, c = b + two, d = c + two;
    return (*(const lanes *)p ^ a) | (*(const lanes *)(p + 16) ^ b) |
           (*(const lanes *)(p + 32) ^ c) | (*(const lanes *)(p + 48) ^ d);
}

enum { BLOCK = 8, FEW = 16, SOME = 32 }; /* words */

static inline lanes block_at(uint64_t word, uint64_t words)
{
    return lanes_from(word + words * ASSAY_TOUCH_STRIDE);
}

static inline uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whole words from `word` on; p is any address. What does not fill a block is done by one that
 * overlaps the last, and up to SOME words by a fixed number of blocks that overlap: sizes vary, and
 * a loop over them is mispredicted nearly always. */
static inline void fill_words(char *p, uint64_t word, uint64_t words)
{
    const lanes eight = {BLOCK * ASSAY_TOUCH_STRIDE, BLOCK * ASSAY_TOUCH_STRIDE};
    uint64_t last = words - BLOCK; /* where the last block starts */
    if (words > SOME) {
        lanes a = lanes_from(word);
        for (uint64_t at = 0; at < last; at += BLOCK, a += eight)
            fill_block(p + 8 * at, a);
        fill_block(p + 8 * last, block_at(word, last));
    } else if (words >= BLOCK) {
        fill_block(p, lanes_from(word));
        if (words > FEW) {
            uint64_t second = least(BLOCK, last), third = least(2 * BLOCK, last);
            fill_block(p + 8 * second, block_at(word, second));
            fill_block(p + 8 * third, block_at(word, third));
        }
        fill_block(p + 8 * last, block_at(word, last));
    } else if (words >= 4) {
        *(lanes *)p = lanes_from(word);
        *(lanes *)(p + 16) = block_at(word, 2);
        *(lanes *)(p + 8 * words - 32) = block_at(word, words - 4);
        *(lanes *)(p + 8 * words - 16) = block_at(word, words - 2);
    } else if (words >= 2) {
        *(lanes *)p = lanes_from(word);
        *(lanes *)(p + 8 * words - 16) = block_at(word, words - 2);
    } else if (words == 1) {
        store(p, word);
    }
}

static inline uint64_t differ_words(const char *p, uint64_t word, uint64_t words)
{
    const lanes eight = {BLOCK * ASSAY_TOUCH_STRIDE, BLOCK * ASSAY_TOUCH_STRIDE};
    uint64_t last = words - BLOCK;
    lanes any;
    if (words > SOME) {
        lanes a = lanes_from(word);
        any = differ_block(p + 8 * last, block_at(word, last));
        for (uint64_t at = 0; at < last; at += BLOCK, a += eight)
            any |= differ_block(p + 8 * at, a);
    } else if (words >= BLOCK) {
        any = differ_block(p, lanes_from(word));
        if (words > FEW) {
            uint64_t second = least(BLOCK, last), third = least(2 * BLOCK, last);
            any |= differ_block(p + 8 * second, block_at(word, second)) |
                   differ_block(p + 8 * third, block_at(word, third));
        }
        any |= differ_block(p + 8 * last, block_at(word, last));
    } else if (words >= 4) {
        any = (*(const lanes *)p ^ lanes_from(word)) |
              (*(const lanes *)(p + 16) ^ block_at(word, 2)) |
              (*(const lanes *)(p + 8 * words - 32) ^ block_at(word, words - 4)) |
              (*(const lanes *)(p + 8 * words - 16) ^ block_at(word, words - 2));
    } else if (words >= 2) {
        any = (*(const lanes *)p ^ lanes_from(word)) |
              (*(const lanes *)(p + 8 * words - 16) ^ block_at(word, words - 2));
    } else {
        return words ? load(p) ^ word : 0;
    }
    return any[0] | any[1];
}

/* The 8 bytes that end at offset `to` of the pattern: the ends of one word and the start of the
 * next. */
static inline uint64_t word_before(uint64_t key, uint64_t to)
{
    uint64_t low = key + (to / 8 - 1) * ASSAY_TOUCH_STRIDE, high = low + ASSAY_TOUCH_STRIDE;
    return (uint64_t)((((unsigned __int128)high << 64) | low) >> (8 * (to % 8)));
}

static inline uint64_t low_bytes(uint64_t bytes)
{
    return bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * bytes)) - 1;
}

/* Up to 7 bytes as one word, without reading past them. */
static inline uint64_t load_few(const char *p, uint64_t bytes)
{
    uint64_t word = 0;
    if (bytes & 4) {
        uint32_t part;
        memcpy(&part, p, 4);
        word = part;
    }
    if (bytes & 2) {
        uint16_t part;
        memcpy(&part, p + (bytes & 4), 2);
        word |= (uint64_t)part << (8 * (bytes & 4));
    }
    if (bytes & 1)
        word |= (uint64_t)(unsigned char)p[bytes & 6] << (8 * (bytes & 6));
    return word;
}

static inline void store_few(char *p, uint64_t word, uint64_t bytes)
{
    if (bytes & 4) {
        uint32_t part = (uint32_t)word;
        memcpy(p, &part, 4);
        word >>= 32;
        p += 4;
    }
    if (bytes & 2) {
        uint16_t part = (uint16_t)word;
        memcpy(p, &part, 2);
        word >>= 16;
        p += 2;
    }
    if (bytes & 1)
        *p = (char)word;
}

static inline uint64_t word_at(uint64_t key, uint64_t offset)
{
    return key + offset / 8 * ASSAY_TOUCH_STRIDE;
}

void assay_touch_fill(char *base, uint64_t key, uint64_t from, uint64_t to)
{
    for (; from % 8 != 0 && from < to; from++)
        base[from] = (char)(word_at(key, from) >> (8 * (from % 8)));
    if (from >= to)
        return;
    uint64_t words = (to - from) / 8;
    fill_words(base + from, word_at(key, from), words);
    if (words > 0)
        store(base + to - 8, word_before(key, to));
    else
        store_few(base + from, word_at(key, from), to - from);
}

/* Names the first wrong byte once a difference is known to be there. */
static uint64_t first_wrong(const char *base, uint64_t key, uint64_t from, uint64_t to)
{
    for (; from < to; from++)
        if ((unsigned char)base[from] != (unsigned char)(word_at(key, from) >> (8 * (from % 8))))
            break;
    return from;
}

uint64_t assay_touch_verify(const char *base, uint64_t key, uint64_t from, uint64_t to)
{
    uint64_t start = from, differ = 0;
    for (; from % 8 != 0 && from < to; from++)
        differ |= (unsigned char)base[from] ^
                  (uint64_t)(unsigned char)(word_at(key, from) >> (8 * (from % 8)));
    if (from < to) {
        uint64_t words = (to - from) / 8;
        differ |= differ_words(base + from, word_at(key, from), words);
        if (words > 0)
            differ |= load(base + to - 8) ^ word_before(key, to);
        else
            differ |=
                (load_few(base + from, to - from) ^ word_at(key, from)) & low_bytes(to - from);
    }
    return __builtin_expect(differ != 0, 0) ? first_wrong(base, key, start, to) : to;
}

uint64_t assay_touch_zero(const char *base, uint64_t from, uint64_t to)
{
    uint64_t start = from, any = 0;
    lanes wide = {0, 0};
    for (; to - from >= 32; from += 32)
        wide |= *(const lanes *)(base + from) | *(const lanes *)(base + from + 16);
    for (; to - from >= 8; from += 8)
        any |= load(base + from);
    any |= load_few(base + from, to - from) | wide[0] | wide[1];
    if (__builtin_expect(any == 0, 1))
        return to;
    while (start < to && base[start] == 0)
        start++;
    return start;
}

void assay_touch_read(const char *base, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i += 64)
        (void)*(const volatile char *)(base + i);
    if (to > from)
        (void)*(const volatile char *)(base + to - 1);
}

/* Of an object that is not touched whole: where its tail starts, and place of its word k between
 * head and tail, with step a WORDS-th of what lies there. */
static inline uint64_t tail_of(const struct assay_content *content)
{
    return (content->bytes - ASSAY_TOUCH_TAIL_BYTES) & ~UINT64_C(7);
}

static inline uint64_t step_of(uint64_t tail) /* words, >= 13 */
{
    return (tail - ASSAY_TOUCH_HEAD_BYTES) / 8 / ASSAY_TOUCH_WORDS;
}

static inline uint64_t place_of(const struct assay_content *content, uint64_t step, uint64_t k)
{
    uint64_t within = (uint64_t)(((unsigned __int128)(content->key * (2 * k + 1)) * step) >> 64);
    return ASSAY_TOUCH_HEAD_BYTES + (k * step + within) * 8;
}

/* The touched parts of an object, in rising order. */
struct part {
    uint64_t from, to;
};
enum { PARTS_MAX = ASSAY_TOUCH_WORDS + 2 };

static inline int parts_of(const struct assay_content *content, struct part parts[PARTS_MAX])
{
    if (content->whole) {
        parts[0] = (struct part){0, content->bytes};
        return 1;
    }
    int n = 0;
    uint64_t tail = tail_of(content), step = step_of(tail);
    parts[n++] = (struct part){0, ASSAY_TOUCH_HEAD_BYTES};
    for (uint64_t k = 0; k < ASSAY_TOUCH_WORDS; k++) {
        uint64_t at = place_of(content, step, k);
        parts[n++] = (struct part){at, at + 8};
    }
    parts[n++] = (struct part){tail, content->bytes};
    return n;
}

void assay_content_fill(const struct assay_content *content)
{
    char *base = content->base;
    if (__builtin_expect(content->whole, 1)) {
        assay_touch_fill(base, content->key, 0, content->bytes);
        return;
    }
    uint64_t tail = tail_of(content), step = step_of(tail);
    fill_words(base, content->key, ASSAY_TOUCH_HEAD_BYTES / 8);
    for (uint64_t k = 0; k < ASSAY_TOUCH_WORDS; k++) {
        uint64_t at = place_of(content, step, k);
        store(base + at, word_at(content->key, at));
    }
    assay_touch_fill(base, content->key, tail, content->bytes);
}

/* What parts_of names, of an object without a run, as one question: no part waits for another. */
static bool parts_intact(const struct assay_content *content)
{
    const char *base = content->base;
    uint64_t tail = tail_of(content), step = step_of(tail);
    uint64_t differ = differ_words(base, content->key, ASSAY_TOUCH_HEAD_BYTES / 8);
    for (uint64_t k = 0; k < ASSAY_TOUCH_WORDS; k++) {
        uint64_t at = place_of(content, step, k);
        differ |= load(base + at) ^ word_at(content->key, at);
    }
    return differ == 0 &&
           assay_touch_verify(base, content->key, tail, content->bytes) == content->bytes;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* [from, to) of an object that has a run: three stretches, each with its own key. */
static uint64_t verify_with_run(const struct assay_content *content, uint64_t from, uint64_t to)
{
    const struct part before = {from, least(to, content->run_from)},
                      within = {most(from, content->run_from), least(to, content->run_to)},
                      behind = {most(from, content->run_to), to};
    const struct part stretches[3] = {before, within, behind};
    for (int i = 0; i < 3; i++) {
        if (stretches[i].from >= stretches[i].to)
            continue;
        uint64_t at = assay_touch_verify(content->base, i == 1 ? content->run_key : content->key,
                                         stretches[i].from, stretches[i].to);
        if (at < stretches[i].to)
            return at;
    }
    return to;
}

uint64_t assay_content_verify(const struct assay_content *content, uint64_t limit)
{
    struct part parts[PARTS_MAX];
    uint64_t end = least(content->bytes, limit);
    bool plain = content->run_from == content->run_to;
    if (__builtin_expect(content->whole && plain, 1)) {
        uint64_t at = assay_touch_verify(content->base, content->key, 0, end);
        return at < end ? at : UINT64_MAX;
    }
    if (plain && end == content->bytes && parts_intact(content))
        return UINT64_MAX;
    int n = parts_of(content, parts);
    for (int i = 0; i < n && parts[i].from < end; i++) {
        uint64_t to = least(parts[i].to, end);
        uint64_t at = plain ? assay_touch_verify(content->base, content->key, parts[i].from, to)
                            : verify_with_run(content, parts[i].from, to);
        if (at < to)
            return at;
    }
    return UINT64_MAX;
}

uint64_t assay_content_zero(const struct assay_content *content, uint64_t from)
{
    struct part parts[PARTS_MAX];
    int n = parts_of(content, parts);
    for (int i = 0; i < n; i++) {
        if (from >= parts[i].to)
            continue;
        uint64_t at = assay_touch_zero(content->base, most(from, parts[i].from), parts[i].to);
        if (at < parts[i].to)
            return at;
    }
    return UINT64_MAX;
}

uint64_t assay_content_expected(const struct assay_content *content, uint64_t offset)
{
    uint64_t word = 0;
    for (uint64_t i = 0; i < 8; i++) {
        uint64_t at = offset + i;
        bool run = at >= content->run_from && at < content->run_to;
        uint64_t byte = word_at(run ? content->run_key : content->key, at) >> (8 * (at % 8)) & 0xff;
        word |= byte << (8 * i);
    }
    return word;
}

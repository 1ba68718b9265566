/* Random numbers: ChaCha8, one stream per size class so that a class needs no lock but its own. All
 * streams of a heap share its key and differ in the nonce; a deterministic heap's key comes from
 * its seed alone. */
#ifndef BW_RANDOM_H
#define BW_RANDOM_H

#include <stdint.h>

enum { BW_RANDOM_DRAWS = 128 };

struct bw_random {
    const uint32_t *key; /* 8 words, the heap's */
    uint64_t nonce;
    uint64_t counter;
    uint32_t used; /* draws taken from buffer; BW_RANDOM_DRAWS = empty */
    uint16_t buffer[BW_RANDOM_DRAWS] __attribute__((aligned(16)));
};

/* Computes nothing yet: the first draw does. */
static inline void bw_random_start(struct bw_random *random, const uint32_t *key, uint64_t nonce)
{
    random->key = key;
    random->nonce = nonce;
    random->counter = 0;
    random->used = BW_RANDOM_DRAWS;
}

void bw_random_refill(struct bw_random *random);

static inline uint32_t bw_random_16(struct bw_random *random)
{
    if (__builtin_expect(random->used >= BW_RANDOM_DRAWS, 0))
        bw_random_refill(random);
    return random->buffer[random->used++];
}

/* In [0, limit), limit <= 65536; the bias is below limit / 65536. */
static inline uint32_t bw_random_below(struct bw_random *random, uint32_t limit)
{
    return bw_random_16(random) * limit >> 16;
}

uint64_t bw_random_64(struct bw_random *random);

/* key becomes a function of seed alone. */
void bw_random_key_from_seed(uint32_t key[8], uint64_t seed);

#endif

/* Random numbers: ChaCha8, one stream per size class so that a class needs no lock but its own. All
 * streams of a heap share its key and differ in the nonce; a deterministic heap's key comes from
 * its seed alone. A heap that is given its choices has them asked for instead (struct bw_choices):
 * its buffers always look empty, so that nobody else pays for it. */
#ifndef BW_RANDOM_H
#define BW_RANDOM_H

#include <stdint.h>

#include "bulwark.h"

enum { BW_RANDOM_DRAWS = 128 };

struct bw_key {
    uint32_t words[8];
    struct bw_choices *choices; /* NULL: all come from the streams */
};

struct bw_random {
    const struct bw_key *key; /* the heap's */
    uint64_t nonce;
    uint64_t counter;
    uint32_t used; /* draws taken from buffer, BW_RANDOM_DRAWS more where choices are asked for */
    uint16_t buffer[BW_RANDOM_DRAWS] __attribute__((aligned(16)));
};

/* Computes nothing yet: the first draw does. */
static inline void bw_random_start(struct bw_random *random, const struct bw_key *key,
                                   uint64_t nonce)
{
    random->key = key;
    random->nonce = nonce;
    random->counter = 0;
    random->used = key->choices == NULL ? BW_RANDOM_DRAWS : 2 * BW_RANDOM_DRAWS;
}

uint32_t bw_random_below_slow(struct bw_random *random, uint32_t limit, enum bw_choice_kind kind);

/* In [0, limit), limit <= 65536; the bias is below limit / 65536. */
static inline uint32_t bw_random_below(struct bw_random *random, uint32_t limit,
                                       enum bw_choice_kind kind)
{
    if (__builtin_expect(random->used >= BW_RANDOM_DRAWS, 0))
        return bw_random_below_slow(random, limit, kind);
    return random->buffer[random->used++] * limit >> 16;
}

/* Four choices below 65536. */
uint64_t bw_random_64(struct bw_random *random, enum bw_choice_kind kind);

/* key->words become a function of seed alone. */
void bw_random_key_from_seed(struct bw_key *key, uint64_t seed);

#endif

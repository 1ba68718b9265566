/* Seeded random numbers: xoshiro256** seeded by splitmix64 (Blackman and Vigna, 2018). Not for
 * secrets. */
#ifndef ASSAY_CORE_RANDOM_H
#define ASSAY_CORE_RANDOM_H

#include <stdint.h>

struct assay_random {
    uint64_t s[4];
};

static inline uint64_t assay_splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void assay_random_seed(struct assay_random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->s[i] = assay_splitmix64(&seed);
}

static inline uint64_t assay_random_next(struct assay_random *random)
{
    uint64_t *s = random->s;
    uint64_t x = s[1] * 5;
    uint64_t result = ((x << 7) | (x >> 57)) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/* Uniform in [0, bound) by multiply-shift; bound > 0. Bias below 2^-32 for bounds below 2^32. */
static inline uint64_t assay_random_below(struct assay_random *random, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)assay_random_next(random) * bound) >> 64);
}

#endif

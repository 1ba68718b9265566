#include "random.h"

#include <string.h>

/* Four blocks side by side: lane i of every vector belongs to block counter + i. */
typedef uint32_t lanes __attribute__((vector_size(16)));

static inline lanes rotate(lanes x, int by)
{
    return x << by | x >> (32 - by);
}

static inline void quarter(lanes *a, lanes *b, lanes *c, lanes *d)
{
    *a += *b, *d = rotate(*d ^ *a, 16);
    *c += *d, *b = rotate(*b ^ *c, 12);
    *a += *b, *d = rotate(*d ^ *a, 8);
    *c += *d, *b = rotate(*b ^ *c, 7);
}

static void refill(struct bw_random *random)
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    lanes start[16], x[16];
    for (int i = 0; i < 4; i++)
        start[i] = (lanes){} + constants[i];
    for (int i = 0; i < 8; i++)
        start[4 + i] = (lanes){} + random->key->words[i];
    for (uint32_t i = 0; i < 4; i++) {
        start[12][i] = (uint32_t)(random->counter + i);
        start[13][i] = (uint32_t)((random->counter + i) >> 32);
    }
    start[14] = (lanes){} + (uint32_t)random->nonce;
    start[15] = (lanes){} + (uint32_t)(random->nonce >> 32);
    memcpy(x, start, sizeof x);
    for (int round = 0; round < 8; round += 2) {
        for (int i = 0; i < 4; i++)
            quarter(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
        for (int i = 0; i < 4; i++)
            quarter(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4], &x[12 + (i + 3) % 4]);
    }
    for (int i = 0; i < 16; i++)
        x[i] += start[i];
    memcpy(random->buffer, x, sizeof random->buffer);
    random->counter += 4;
    random->used = 0;
}

/* The list's, then what the seed or the rule of an ended list says. */
static uint32_t choice(struct bw_choices *choices, struct bw_random *random, uint32_t limit,
                       enum bw_choice_kind kind)
{
    if (choices->choose != NULL)
        return choices->choose(choices, limit, kind) % limit;
    if (choices->made < choices->count)
        return choices->values[choices->made] % limit;
    if (!choices->then_from_seed)
        return 0;
    if (random->used >= 2 * BW_RANDOM_DRAWS) {
        refill(random);
        random->used = BW_RANDOM_DRAWS;
    }
    return random->buffer[random->used++ - BW_RANDOM_DRAWS] * limit >> 16;
}

__attribute__((noinline)) uint32_t bw_random_below_slow(struct bw_random *random, uint32_t limit,
                                                        enum bw_choice_kind kind)
{
    struct bw_choices *choices = random->key->choices;
    if (__builtin_expect(choices == NULL, 1)) {
        refill(random);
        return random->buffer[random->used++] * limit >> 16;
    }
    uint32_t value = choice(choices, random, limit, kind);
    if (choices->made < choices->record_max)
        choices->record[choices->made] =
            (struct bw_choice){.value = value, .limit = limit, .kind = kind};
    choices->made++;
    return value;
}

uint64_t bw_random_64(struct bw_random *random, enum bw_choice_kind kind)
{
    uint64_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 16 | bw_random_below(random, 1 << 16, kind);
    return value;
}

void bw_random_key_from_seed(struct bw_key *key, uint64_t seed)
{
    uint64_t state = seed;
    for (int i = 0; i < 8; i++) {
        state += 0x9e3779b97f4a7c15u;
        uint64_t z = state;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        key->words[i] = (uint32_t)(z ^ z >> 31);
    }
}

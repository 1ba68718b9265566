/* The random streams: the cipher itself against its specification, bounds, independence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "allocator/random.h"

/* ChaCha8, key and nonce zero, block 0: first words of the published keystream
 * (3e00ef2f895f40d67f5bb8e81f09a5a1...). Ours lies word by word across four blocks. */
static void first_block_is_chacha8(void **state)
{
    static const uint8_t published[16] = {0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6,
                                          0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09, 0xa5, 0xa1};
    static const struct bw_key key;
    struct bw_random random;
    (void)state;
    bw_random_start(&random, &key, 0);
    (void)bw_random_below(&random, 2, BW_CHOICE_SLOT);
    for (size_t word = 0; word < 4; word++)
        assert_memory_equal((const uint8_t *)random.buffer + 16 * word, published + 4 * word, 4);
}

static void streams_repeat_and_differ_by_nonce_and_seed(void **state)
{
    struct bw_key key = {0}, other_key = {0};
    struct bw_random a, b, c, d;
    unsigned equal_b = 0, equal_c = 0, equal_d = 0;
    (void)state;
    bw_random_key_from_seed(&key, 5);
    bw_random_key_from_seed(&other_key, 6);
    bw_random_start(&a, &key, 1);
    bw_random_start(&b, &key, 1);
    bw_random_start(&c, &key, 2);
    bw_random_start(&d, &other_key, 1);
    for (int i = 0; i < 1000; i++) {
        uint64_t value = bw_random_64(&a, BW_CHOICE_SLOT);
        equal_b += value == bw_random_64(&b, BW_CHOICE_SLOT);
        equal_c += value == bw_random_64(&c, BW_CHOICE_SLOT);
        equal_d += value == bw_random_64(&d, BW_CHOICE_SLOT);
    }
    assert_int_equal(equal_b, 1000);
    assert_int_equal(equal_c, 0);
    assert_int_equal(equal_d, 0);
}

static void below_stays_below_and_is_even(void **state)
{
    struct bw_key key = {0};
    uint32_t counts[200] = {0};
    struct bw_random random;
    (void)state;
    bw_random_key_from_seed(&key, 1);
    bw_random_start(&random, &key, 0);
    for (int i = 0; i < 200000; i++) {
        uint32_t value = bw_random_below(&random, 200, BW_CHOICE_SLOT);
        assert_true(value < 200);
        counts[value]++;
    }
    /* 1,000 expected each, standard deviation 32: 6 of them either way. */
    for (int i = 0; i < 200; i++)
        assert_in_range(counts[i], 800, 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_block_is_chacha8),
        cmocka_unit_test(streams_repeat_and_differ_by_nonce_and_seed),
        cmocka_unit_test(below_stays_below_and_is_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

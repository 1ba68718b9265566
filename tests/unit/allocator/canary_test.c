/* The pattern behind objects and the test for zero, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "allocator/canary.h"

static const uint64_t secret = 0x0123456789abcdef;
static uint8_t slot[1040] __attribute__((aligned(16)));

static void fills_exactly_the_slack(void **state)
{
    (void)state;
    for (size_t slack = 0; slack <= sizeof slot; slack++) {
        memset(slot, 7, sizeof slot);
        bw_canary_fill(secret, slot, slot + sizeof slot, slack);
        for (size_t i = 0; i < sizeof slot - slack; i++)
            assert_int_equal(slot[i], 7);
        for (size_t i = sizeof slot - slack; i < sizeof slot; i++)
            assert_true(slot[i] >= 0x80);
        assert_true(bw_canary_intact(secret, slot, slot + sizeof slot, slack));
    }
}

static void sees_every_changed_bit(void **state)
{
    (void)state;
    for (size_t slack = 1; slack <= 64; slack++) {
        memset(slot, 7, sizeof slot);
        bw_canary_fill(secret, slot, slot + sizeof slot, slack);
        for (size_t i = sizeof slot - slack; i < sizeof slot; i++) {
            for (int bit = 0; bit < 8; bit++) {
                slot[i] ^= (uint8_t)(1 << bit);
                assert_false(bw_canary_intact(secret, slot, slot + sizeof slot, slack));
                assert_int_equal(bw_canary_first_damaged(secret, slot, slot + sizeof slot, slack),
                                 i);
                slot[i] ^= (uint8_t)(1 << bit);
            }
        }
        /* The object's own bytes are not the canary's business. */
        for (size_t i = 0; i < sizeof slot - slack; i++)
            slot[i] ^= 0xff;
        assert_true(bw_canary_intact(secret, slot, slot + sizeof slot, slack));
    }
}

static void differs_from_slot_to_slot_and_key_to_key(void **state)
{
    (void)state;
    unsigned same_slot = 0, same_key = 0;
    bw_block here = bw_canary_pattern(secret, 0x1000);
    for (uint64_t i = 1; i <= 1000; i++) {
        bw_block there = bw_canary_pattern(secret, 0x1000 + 16 * i);
        bw_block other = bw_canary_pattern(secret + i, 0x1000);
        same_slot += here[0] == there[0];
        same_key += here[0] == other[0];
    }
    assert_int_equal(same_slot, 0);
    assert_int_equal(same_key, 0);
}

static void zero_test_sees_every_byte(void **state)
{
    (void)state;
    for (size_t bytes = 16; bytes <= sizeof slot; bytes += 16) {
        memset(slot, 0, sizeof slot);
        assert_true(bw_is_zero(slot, bytes));
        for (size_t i = 0; i < bytes; i++) {
            slot[i] = 1;
            assert_false(bw_is_zero(slot, bytes));
            assert_int_equal(bw_first_nonzero(slot, bytes), i);
            slot[i] = 0;
        }
    }
}

static void zeroing_stops_where_it_should(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < sizeof slot; bytes += 16) {
        memset(slot, 9, sizeof slot);
        bw_zero(slot, bytes);
        assert_int_equal(bw_first_nonzero(slot, sizeof slot), bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_exactly_the_slack),
        cmocka_unit_test(sees_every_changed_bit),
        cmocka_unit_test(differs_from_slot_to_slot_and_key_to_key),
        cmocka_unit_test(zero_test_sees_every_byte),
        cmocka_unit_test(zeroing_stops_where_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The touch unit: patterns invert, and every wrong byte is named by its offset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "traces/runner/touch.h"

static char buffer[1 << 16];

static void keys_invert(void **state)
{
    (void)state;
    for (uint32_t object = 1; object < 100000; object += 997)
        for (uint16_t epoch = 0; epoch < 300; epoch = (uint16_t)(epoch + 37)) {
            uint32_t found = 0;
            uint16_t found_epoch = 0;
            uint64_t key = assay_touch_key(42, object, epoch);
            assert_true(assay_touch_whose_key(42, key, &found, &found_epoch));
            assert_int_equal(found, object);
            assert_int_equal(found_epoch, epoch);
            assert_false(assay_touch_whose_key(43, key, &found, &found_epoch) && found == object);
        }
}

static void a_word_names_its_object(void **state)
{
    (void)state;
    assay_touch_fill(buffer, assay_touch_key(7, 1234, 2), 0, 4096);
    for (int j = 0; j < 512; j += 73) {
        uint64_t word;
        uint32_t object = 0;
        uint16_t epoch = 0;
        memcpy(&word, buffer + 8 * j, 8);
        assert_true(assay_touch_whose_word(7, word, 512, 5000, &object, &epoch));
        assert_int_equal(object, 1234);
        assert_int_equal(epoch, 2);
        assert_false(assay_touch_whose_word(7, word, 512, 1000, &object, &epoch));
    }
}

/* Every stretch up to some length at every phase, against the definition byte by byte. */
static void fill_and_verify_agree_with_the_definition(void **state)
{
    (void)state;
    uint64_t key = assay_touch_key(1, 99, 0);
    for (uint64_t from = 0; from < 20; from++)
        for (uint64_t to = from; to < 200; to++) {
            memset(buffer, 0, 256);
            assay_touch_fill(buffer, key, from, to);
            for (uint64_t i = 0; i < 256; i++) {
                uint64_t word = key + i / 8 * ASSAY_TOUCH_STRIDE;
                unsigned char expected = (unsigned char)(word >> (8 * (i % 8)));
                if (i < from || i >= to)
                    expected = 0;
                assert_int_equal((unsigned char)buffer[i], expected);
            }
            assert_int_equal(assay_touch_verify(buffer, key, from, to), to);
        }
}

static void verify_names_the_first_wrong_byte(void **state)
{
    (void)state;
    uint64_t key = assay_touch_key(1, 5, 0);
    for (uint64_t bytes = 1; bytes < 180; bytes++) {
        assay_touch_fill(buffer, key, 0, bytes);
        for (uint64_t wrong = 0; wrong < bytes; wrong++) {
            buffer[wrong] = (char)(buffer[wrong] ^ 0x10);
            assert_int_equal(assay_touch_verify(buffer, key, 0, bytes), wrong);
            uint64_t from = wrong / 2;
            assert_int_equal(assay_touch_verify(buffer, key, from, bytes), wrong);
            assert_int_equal(assay_touch_verify(buffer, key, 0, wrong), wrong);
            buffer[wrong] = (char)(buffer[wrong] ^ 0x10);
        }
    }
}

static void zero_names_the_first_dirty_byte(void **state)
{
    (void)state;
    memset(buffer, 0, 512);
    for (uint64_t bytes = 1; bytes < 150; bytes++) {
        assert_int_equal(assay_touch_zero(buffer, 0, bytes), bytes);
        for (uint64_t wrong = 0; wrong < bytes; wrong++) {
            buffer[wrong] = 1;
            assert_int_equal(assay_touch_zero(buffer, 0, bytes), wrong);
            assert_int_equal(assay_touch_zero(buffer, 0, wrong), wrong);
            buffer[wrong] = 0;
        }
    }
}

static void large_objects_are_touched_at_head_tail_and_words(void **state)
{
    (void)state;
    struct assay_content content = {
        .base = buffer, .bytes = 40001, .key = assay_touch_key(1, 8, 0), .whole = false};
    memset(buffer, 0, sizeof buffer);
    assay_content_fill(&content);
    assert_true(assay_content_verify(&content, UINT64_MAX) == UINT64_MAX);
    size_t touched = 0;
    for (size_t i = 0; i < content.bytes; i++)
        touched += buffer[i] != 0;
    assert_in_range(touched, 180, 300);
    const uint64_t places[] = {0, 127, content.bytes - 1, content.bytes - ASSAY_TOUCH_TAIL_BYTES};
    for (size_t i = 0; i < 4; i++) {
        buffer[places[i]] = (char)~buffer[places[i]];
        assert_int_equal(assay_content_verify(&content, UINT64_MAX), places[i]);
        buffer[places[i]] = (char)~buffer[places[i]];
    }
    for (uint64_t i = 200; i < 39900; i++) /* some rotating words, all found where they stand */
        if (buffer[i] != 0) {
            buffer[i] = (char)~buffer[i];
            assert_int_equal(assay_content_verify(&content, UINT64_MAX), i);
            assert_true(assay_content_verify(&content, i) == UINT64_MAX);
            buffer[i] = (char)~buffer[i];
        }
}

static void a_run_has_its_own_pattern(void **state)
{
    (void)state;
    struct assay_content content = {.base = buffer,
                                    .bytes = 300,
                                    .key = assay_touch_key(1, 8, 0),
                                    .whole = true,
                                    .run_from = 33,
                                    .run_to = 77,
                                    .run_key = assay_touch_key(1, 8, 1)};
    assay_touch_fill(buffer, content.key, 0, 300);
    assert_int_equal(assay_content_verify(&content, UINT64_MAX), 33);
    assay_touch_fill(buffer, content.run_key, 33, 77);
    assert_true(assay_content_verify(&content, UINT64_MAX) == UINT64_MAX);
    uint64_t word;
    memcpy(&word, buffer + 72, 8);
    assert_true(assay_content_expected(&content, 72) == word);
}

/* Programs reserve gigabytes and use little of them: reading all of it looked like a call that
 * hangs. */
static void reserved_gigabytes_are_never_touched_whole(void **state)
{
    (void)state;
    for (uint32_t object = 1; object < 100; object++) {
        assert_false(assay_content_whole(UINT64_C(1) << 34, object, false));
        assert_false(assay_content_whole(UINT64_C(1) << 34, object, true));
        assert_true(assay_content_whole(ASSAY_TOUCH_WHOLE_MAX, object, true));
    }
}

static unsigned whole_of_1024(uint64_t bytes)
{
    unsigned whole = 0;
    for (uint32_t object = 1; object <= 1024; object++)
        whole += assay_content_whole(bytes, object, false);
    return whole;
}

static void the_larger_the_fewer_are_touched_whole(void **state)
{
    (void)state;
    assert_int_equal(whole_of_1024(ASSAY_TOUCH_WHOLE_BYTES), 1024);
    assert_in_range(whole_of_1024(ASSAY_TOUCH_WHOLE_BYTES + 1), 48, 80);
    assert_in_range(whole_of_1024(ASSAY_TOUCH_SELDOM_BEYOND), 48, 80);
    assert_in_range(whole_of_1024(ASSAY_TOUCH_SELDOM_BEYOND + 1), 10, 24);
    assert_in_range(whole_of_1024(ASSAY_TOUCH_WHOLE_MAX), 10, 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserved_gigabytes_are_never_touched_whole),
        cmocka_unit_test(the_larger_the_fewer_are_touched_whole),
        cmocka_unit_test(keys_invert),
        cmocka_unit_test(a_word_names_its_object),
        cmocka_unit_test(fill_and_verify_agree_with_the_definition),
        cmocka_unit_test(verify_names_the_first_wrong_byte),
        cmocka_unit_test(zero_names_the_first_dirty_byte),
        cmocka_unit_test(large_objects_are_touched_at_head_tail_and_words),
        cmocka_unit_test(a_run_has_its_own_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The table of size classes: every request gets the smallest class that holds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "allocator/sizeclass.h"

static void sizes_rise_by_a_quarter_at_most(void **state)
{
    (void)state;
    assert_int_equal(bw_class_size(3), 48);
    assert_int_equal(bw_class_size(BW_CLASS_COUNT - 1), BW_SLOT_MAX);
    for (unsigned i = 2; i < BW_CLASS_COUNT; i++) {
        uint32_t step = bw_class_size(i) - bw_class_size(i - 1);
        assert_true(step >= 16 && step % 16 == 0);
        assert_true(step <= 16 || step * 4 <= bw_class_size(i - 1));
    }
}

static void every_size_gets_the_smallest_class(void **state)
{
    (void)state;
    for (size_t need = 1; need <= BW_SLOT_MAX; need++) {
        unsigned index = bw_class_of(need);
        assert_in_range(index, 1, BW_CLASS_COUNT - 1);
        assert_true(bw_class_size(index) >= need);
        assert_true(index == 1 || bw_class_size(index - 1) < need);
    }
}

static void aligned_requests_get_a_class_of_that_alignment(void **state)
{
    (void)state;
    for (size_t alignment = 32; alignment <= BW_SLOT_ALIGNMENT_MAX; alignment *= 2) {
        for (size_t size = 0; size <= BW_REQUEST_MAX; size += size < 5000 ? 1 : 97) {
            unsigned index = bw_class_for(size, alignment);
            if (index == BW_CLASS_COUNT) {
                assert_true(size + BW_CANARY_MIN + alignment > BW_SLOT_MAX);
                continue;
            }
            assert_int_equal(bw_class_size(index) % alignment, 0);
            assert_true(bw_class_size(index) >= size + BW_CANARY_MIN);
            /* The slack must fit its record: one byte below 256, else two. */
            assert_true(bw_class_size(index) - size <= (bw_class_size(index) < 256 ? 255 : 65535));
        }
    }
}

/* The proof, by all cases, that the mutant alignment_unsought is equivalent: the search for an
 * aligned class ends where it begins, for what it begins with is a multiple of the alignment. */
static void the_first_class_over_a_multiple_is_aligned(void **state)
{
    unsigned tried = 0;
    (void)state;
    for (size_t alignment = 32; alignment <= BW_SLOT_ALIGNMENT_MAX; alignment *= 2)
        for (size_t need = alignment; need <= BW_SLOT_MAX; need += alignment, tried++)
            assert_int_equal(bw_class_size(bw_class_of(need)) % alignment, 0);
    assert_true(tried > 1000);
}

static void zero_bytes_have_a_class_of_their_own(void **state)
{
    (void)state;
    assert_int_equal(bw_class_for(0, 1), 0);
    assert_int_equal(bw_class_for(0, 16), 0);
    assert_int_not_equal(bw_class_for(0, 64), 0);
    assert_int_not_equal(bw_class_for(1, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_rise_by_a_quarter_at_most),
        cmocka_unit_test(every_size_gets_the_smallest_class),
        cmocka_unit_test(aligned_requests_get_a_class_of_that_alignment),
        cmocka_unit_test(the_first_class_over_a_multiple_is_aligned),
        cmocka_unit_test(zero_bytes_have_a_class_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

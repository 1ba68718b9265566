/* Address ranges: merging, the gap cache, and what a snapshot of this process holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "traces/runner/ranges.h"

static void ranges_melt_and_gaps_do_not_lie(void **state)
{
    (void)state;
    static struct assay_ranges ranges;
    memset(&ranges, 0, sizeof ranges);
    assay_ranges_add(&ranges, 100, 200);
    assay_ranges_add(&ranges, 300, 400);
    assay_ranges_add(&ranges, 50, 60);
    assert_int_equal(ranges.count, 3);
    for (int twice = 0; twice < 2; twice++) { /* the second pass is answered by the cache */
        assert_false(assay_ranges_touches(&ranges, 200, 100));
        assert_false(assay_ranges_touches(&ranges, 400, 1000));
        assert_false(assay_ranges_touches(&ranges, 60, 40));
        assert_true(assay_ranges_touches(&ranges, 199, 1));
        assert_true(assay_ranges_touches(&ranges, 200, 101));
        assert_true(assay_ranges_touches(&ranges, 0, 1000));
        assert_true(assay_ranges_touches(&ranges, UINTPTR_MAX - 3, 10));
    }
    assay_ranges_add(&ranges, 200, 300); /* fills a gap that is in the cache */
    assert_int_equal(ranges.count, 2);
    assert_true(assay_ranges_touches(&ranges, 200, 100));
    for (uintptr_t i = 0; i < 2 * ASSAY_RANGES_MAX; i++)
        assay_ranges_add(&ranges, 10000 + 10 * i, 10001 + 10 * i);
    assert_true(ranges.overflow);
    assert_int_equal(ranges.count, ASSAY_RANGES_MAX);
}

static int own_data = 1;
static void own_code(void) {}

static void a_snapshot_holds_stack_and_images_but_no_heap(void **state)
{
    (void)state;
    static struct assay_ranges ranges;
    struct assay_error err;
    memset(&ranges, 0, sizeof ranges);
    int local = 0;
    void *heap = malloc(100);
    const char *literal = "in the image";
    assert_int_equal(assay_ranges_snapshot(&ranges, NULL, &err), 0);
    assert_true(assay_ranges_touches(&ranges, (uintptr_t)&local, 4));
    assert_true(assay_ranges_touches(&ranges, (uintptr_t)&own_data, 4));
    assert_true(assay_ranges_touches(&ranges, (uintptr_t)literal, 4));
    assert_true(assay_ranges_touches(&ranges, (uintptr_t)&memcpy, 4));
    assert_false(assay_ranges_touches(&ranges, (uintptr_t)heap, 100));
    memset(&ranges, 0, sizeof ranges);
    assert_int_equal(assay_ranges_snapshot(&ranges, (const void *)(uintptr_t)own_code, &err), 0);
    assert_false(assay_ranges_touches(&ranges, (uintptr_t)&own_data, 4)); /* a subject's own pool */
    assert_true(assay_ranges_touches(&ranges, (uintptr_t)literal, 4));
    free(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_melt_and_gaps_do_not_lie),
        cmocka_unit_test(a_snapshot_holds_stack_and_images_but_no_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

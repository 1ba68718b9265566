/* A pass that is repeated is found, made again, and made from a smaller one; nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "oracles/compare/passes.h"

enum { ROOM = 80000 };

static struct assay_event whole[ROOM], again[ROOM];
static const struct assay_event pass[] = {
    {.kind = ASSAY_OP_MALLOC, .born = 1, .size = 40},
    {.kind = ASSAY_OP_REALLOC, .object = 1, .born = 2, .size = 4000},
    {.kind = ASSAY_OP_CHECK},
    {.kind = ASSAY_OP_FREE, .object = 2},
};
static const struct assay_passes eight = {
    .length = 4, .born = 2, .count = 8, .measures = 1 << ASSAY_MEASURE_MAPPINGS};

static void found_as_made(void **state)
{
    struct assay_passes found;
    size_t n = assay_passes_ops(&eight);
    (void)state;
    assert_int_equal(n, 8 * 4 + 4);
    assay_passes_expand(&eight, pass, whole);
    assert_int_equal(whole[n - 1].kind, ASSAY_OP_MEASURE);
    assert_int_equal(whole[n - 1].size, 8);
    assert_int_equal(whole[n - 2].object, 16);
    assert_true(assay_passes_find(whole, n, &found));
    assert_int_equal(found.length, eight.length);
    assert_int_equal(found.born, eight.born);
    assert_int_equal(found.count, eight.count);
    assert_int_equal(found.measures, eight.measures);
}

static void nothing_else_is(void **state)
{
    struct assay_passes found;
    size_t n = assay_passes_ops(&eight);
    (void)state;
    assay_passes_expand(&eight, pass, whole);
    assert_false(assay_passes_find(whole, 4, &found));
    assert_false(assay_passes_find(whole, n - 2, &found));
    whole[20].size++;
    assert_false(assay_passes_find(whole, n, &found));
    whole[20].size--;
    whole[n - 1].size = 7;
    assert_false(assay_passes_find(whole, n, &found));
    assert_false(assay_passes_find(pass, 4, &found));
}

/* Of threads nothing need be measured; one thread that does the same again and again is no pass. */
static void threads_need_no_measurements(void **state)
{
    struct assay_event two[] = {{.kind = ASSAY_OP_MALLOC, .born = 1, .size = 40},
                                {.kind = ASSAY_OP_FREE, .object = 1, .thread = 1}};
    const struct assay_passes passes = {.length = 2, .born = 1, .count = 100};
    struct assay_passes found;
    (void)state;
    assert_int_equal(assay_passes_ops(&passes), 200);
    assay_passes_expand(&passes, two, whole);
    assert_true(assay_passes_find(whole, 200, &found));
    assert_int_equal(found.length, passes.length);
    assert_int_equal(found.born, passes.born);
    assert_int_equal(found.count, passes.count);
    assert_int_equal(found.measures, passes.measures);
    assert_false(assay_passes_find(whole, 100, &found)); /* too few */
    assert_int_equal(assay_passes_of(&passes, two, 1).count, 100);
    whole[101].size++;
    assert_false(assay_passes_find(whole, 200, &found));
    two[1].thread = 0;
    assay_passes_expand(&passes, two, whole);
    assert_false(assay_passes_find(whole, 200, &found));
}

static void a_smaller_pass_is_made_more_often(void **state)
{
    static const struct assay_event small[] = {{.kind = ASSAY_OP_MALLOC, .born = 1, .size = 1},
                                               {.kind = ASSAY_OP_FREE, .object = 1}};
    struct assay_passes passes = assay_passes_of(&eight, small, 2), found;
    (void)state;
    assert_int_equal(passes.count, 16384);
    assert_in_range(assay_passes_ops(&passes), 1, ROOM);
    assay_passes_expand(&passes, small, again);
    assert_true(assay_passes_find(again, assay_passes_ops(&passes), &found));
    assert_int_equal(found.count, 16384);
    assert_int_equal(assay_passes_of(&eight, small + 1, 1).born, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_as_made),
        cmocka_unit_test(nothing_else_is),
        cmocka_unit_test(threads_need_no_measurements),
        cmocka_unit_test(a_smaller_pass_is_made_more_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

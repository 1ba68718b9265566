#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "traces/core/nearest.h"

static void edit_distance(void **state)
{
    assert_int_equal(assay_edit_distance("replay", "replay", 3), 0);
    assert_int_equal(assay_edit_distance("replay", "reply", 3), 1);
    assert_int_equal(assay_edit_distance("diff", "dfif", 3), 1);
    assert_int_equal(assay_edit_distance("show", "shove", 3), 2);
    assert_int_equal(assay_edit_distance("", "abc", 3), 3);
    assert_int_equal(assay_edit_distance("capture", "zzz", 3), 4); /* limit + 1 */
    assert_int_equal(
        assay_edit_distance("a", "01234567890123456789012345678901234567890123456789", 3), 4);
}

static const char *name_of(size_t i)
{
    static const char *const names[] = {"null", "not-null", "crash",
                                        "aligned_alloc_refuses_bad_alignment"};
    return names[i];
}

static void what_was_meant(void **state)
{
    assert_string_equal(assay_nearest("nul", name_of, 4), "null");
    assert_string_equal(assay_nearest("not_null", name_of, 4), "not-null");
    assert_string_equal(assay_nearest("aligned_alloc_refuses_bad_aligment", name_of, 4),
                        "aligned_alloc_refuses_bad_alignment");
    assert_null(assay_nearest("overlap", name_of, 4));
    assert_null(assay_nearest("nul", name_of, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edit_distance),
        cmocka_unit_test(what_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

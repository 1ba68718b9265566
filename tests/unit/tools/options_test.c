#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/options.h"

static void edit_distance(void **state)
{
    assert_int_equal(assay_edit_distance("replay", "replay", 3), 0);
    assert_int_equal(assay_edit_distance("replay", "reply", 3), 1);
    assert_int_equal(assay_edit_distance("diff", "dfif", 3), 1);
    assert_int_equal(assay_edit_distance("show", "shove", 3), 2);
    assert_int_equal(assay_edit_distance("", "abc", 3), 3);
    assert_int_equal(assay_edit_distance("capture", "zzz", 3), 4); /* limit + 1 */
    assert_int_equal(assay_edit_distance("a", "0123456789012345678901234567890123456789", 3), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edit_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

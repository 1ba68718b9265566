/* Reports of corruption in the words of allocators, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "oracles/said.h"

static void reports_are_told_from_the_rest(void **state)
{
    static const char *const none[] = {"",
                                       "\n\n",
                                       "tcmalloc: large alloc 1073741824 bytes == 0x55 @",
                                       "out of memory\n",
                                       "<jemalloc>: Invalid conf pair: abort_conf:maybe\n",
                                       "mimalloc: warning: unable to map\n"};
    char line[32];
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(assay_said_corruption(none[i], line, sizeof line));
    assert_true(assay_said_corruption("malloc(): CORRUPTED top size", line, sizeof line));
    assert_string_equal(line, "malloc(): CORRUPTED top size");
    /* the first line of several that match, cut off to what fits */
    assert_true(assay_said_corruption("a warning\nheap: Double Free of (nil)\ncorrupt\n", line,
                                      sizeof line));
    assert_string_equal(line, "heap: Double Free of (nil)");
    assert_true(assay_said_corruption("0123456789012345678901234567890123456789 invalid pointer",
                                      line, sizeof line));
    assert_string_equal(line, "0123456789012345678901234567890");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reports_are_told_from_the_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The judge: every property's violation is flagged by exactly that property; legal streams by none.
 */
#include <signal.h>

#include "tests/unit/oracles/stream.h"

enum { BASE = 0x10000000 };

static void c05_overlap(void **state)
{
    struct stream s;
    (void)state;
    stream_open(&s, STREAM_HAS_ALL, NULL);
    stream_malloc(&s, 1, 40, BASE);
    stream_malloc(&s, 2, 40, BASE + 48);
    ASSERT_NONE(&s);
    stream_malloc(&s, 3, 40, BASE + 32);
    ASSERT_ONLY(&s, C05, OVERLAP_PARTIAL);
    assert_true(s.reports[0].other == 1 || s.reports[0].other == 2);
    stream_free(&s, 2);
    stream_malloc(&s, 4, 8, BASE + 80);
    ASSERT_NONE(&s);
    stream_malloc(&s, 5, 8, BASE + 80);
    ASSERT_ONLY(&s, C05, OVERLAP_SAME_START);
    stream_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c05_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

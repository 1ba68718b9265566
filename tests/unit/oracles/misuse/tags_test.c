/* The tag model: what is certain is certain, the rest has the rates that counting tags gives. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oracles/misuse/tags.h"

enum { TRIALS = 40000 };

static double rate(uint32_t granule, uint32_t bits, enum assay_tags_policy policy,
                   enum assay_tags_access access, uint32_t size)
{
    const struct assay_tags tags = {granule, bits};
    unsigned noticed = 0;
    for (uint64_t i = 0; i < TRIALS; i++)
        noticed += assay_tags_trial(&tags, policy, access, size, i);
    return (double)noticed / TRIALS;
}

static void close_to(double seen, double expected)
{
    if (fabs(seen - expected) > 0.006)
        fail_msg("%.4f, expected %.4f", seen, expected);
}

static void random_tags_miss_one_in_so_many(void **state)
{
    (void)state;
    for (uint32_t bits = 4; bits <= 8; bits += 4)
        for (unsigned a = ASSAY_TAGS_NEXT; a < ASSAY_TAGS_ACCESSES; a++)
            close_to(rate(16, bits, ASSAY_TAGS_RANDOM, (enum assay_tags_access)a, 40),
                     1 - 1 / (double)(1u << bits));
}

static void exclusion_makes_some_certain(void **state)
{
    static const enum assay_tags_access certain[] = {ASSAY_TAGS_NEXT, ASSAY_TAGS_BEFORE,
                                                     ASSAY_TAGS_FREED, ASSAY_TAGS_REUSED};
    (void)state;
    for (size_t i = 0; i < sizeof certain / sizeof *certain; i++) {
        assert_true(rate(16, 4, ASSAY_TAGS_EXCLUDE, certain[i], 40) == 1);
        assert_true(rate(64, 4, ASSAY_TAGS_EXCLUDE, certain[i], 40) == 1);
    }
    /* after two reuses the old tag is one of those that are left: 16 but for 0, the last one and
     * the neighbours', which may be the same */
    double twice = rate(16, 4, ASSAY_TAGS_EXCLUDE, ASSAY_TAGS_REUSED_TWICE, 40);
    assert_true(twice > 1 - 1.0 / 12 - 0.006 && twice < 1 - 1.0 / 13 + 0.006);
    close_to(rate(16, 4, ASSAY_TAGS_EXCLUDE, ASSAY_TAGS_FAR, 40), 1 - 1.0 / 15);
}

static void the_own_granule_is_never_noticed(void **state)
{
    (void)state;
    assert_true(rate(16, 4, ASSAY_TAGS_EXCLUDE, ASSAY_TAGS_SAME_GRANULE, 40) == 0);
    assert_true(rate(64, 4, ASSAY_TAGS_RANDOM, ASSAY_TAGS_SAME_GRANULE, 40) == 0);
    /* an object that fills its granules has no such bytes */
    assert_true(rate(16, 4, ASSAY_TAGS_EXCLUDE, ASSAY_TAGS_SAME_GRANULE, 48) == 1);
}

static void few_bits_do_not_break_it(void **state)
{
    (void)state;
    double seen = rate(16, 1, ASSAY_TAGS_EXCLUDE, ASSAY_TAGS_NEXT, 40);
    assert_true(seen > 0.2 && seen < 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tags_miss_one_in_so_many),
        cmocka_unit_test(exclusion_makes_some_certain),
        cmocka_unit_test(the_own_granule_is_never_noticed),
        cmocka_unit_test(few_bits_do_not_break_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* T01-T05: what the program did with its objects, in recorded streams. */
#include "tests/unit/oracles/stream.h"

enum { BASE = 0x10000000 };

static struct stream s;

static int setup(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    s.config = (struct assay_judge_config){.has = STREAM_HAS_RECORDED | ASSAY_HAS_ACCESS,
                                           .max_objects = STREAM_OBJECTS,
                                           .legal = true,
                                           .program = true,
                                           .leaks = true,
                                           .report_self = &s,
                                           .report = stream_report};
    assay_profile_generic(&s.config.profile);
    assert_int_equal(assay_arena_create(&s.arena, assay_judge_bytes(&s.config), NULL), 0);
    s.judge = assay_judge_create(&s.arena, &s.config);
    return s.judge ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    stream_close(&s);
    return 0;
}

static void a_life_in_order_is_fine(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = 40, .address = BASE);
    PUT(&s, WRITE, .object = 1, .size = 40);
    PUT(&s, READ, .object = 1, .size = 8);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 80, .address = BASE + 256);
    PUT(&s, FREE, .object = 2);
    PUT(&s, FREE, .place = ASSAY_PLACE_NULL);
    PUT(&s, FREE);
    ASSERT_NONE(&s);
    for (unsigned p = ASSAY_PROPERTY_T01; p <= ASSAY_PROPERTY_T05; p++)
        assert_true(assay_judge_evaluations(s.judge, p) > 0);
}

static void t01_access_before_allocation(void **state)
{
    (void)state;
    PUT(&s, READ, .place = ASSAY_PLACE_WILD, .arg = BASE, .size = 8);
    ASSERT_ONLY(&s, T01, OTHER);
    PUT(&s, WRITE, .object = 7, .size = 8);
    ASSERT_ONLY(&s, T01, OTHER);
}

static void t02_access_after_free(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = 40, .address = BASE);
    PUT(&s, FREE, .object = 1);
    PUT(&s, READ, .object = 1, .size = 8);
    ASSERT_ONLY(&s, T02, OTHER);
    assert_int_equal(s.reports[0].object, 1);
    assert_int_equal(s.reports[0].expected, 1); /* freed at op 1 */
}

static void t02_a_resize_frees_its_operand(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = 40, .address = BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 80, .address = BASE + 256);
    PUT(&s, WRITE, .object = 1, .size = 8);
    PUT(&s, FREE, .object = 2);
    ASSERT_ONLY(&s, T02, OTHER);
}

static void t03_double_free(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = 40, .address = BASE);
    PUT(&s, FREE, .object = 1);
    PUT(&s, FREE, .object = 1);
    ASSERT_ONLY(&s, T03, OTHER);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 8, .address = BASE);
    assert_int_equal(s.count, 1);
    assert_string_equal(assay_property_info(s.reports[0].property)->id, "T03");
}

static void t04_free_of_what_was_never_allocated(void **state)
{
    (void)state;
    PUT(&s, FREE, .place = ASSAY_PLACE_WILD, .arg = BASE);
    ASSERT_ONLY(&s, T04, OTHER);
    PUT(&s, MALLOC, .born = 1, .size = 40, .address = BASE);
    PUT(&s, FREE, .object = 1, .arg = 8);
    assert_int_equal(s.count, 1); /* an address inside an object is none that was allocated */
    assert_string_equal(assay_property_info(s.reports[0].property)->id, "T04");
}

static void t05_leaks_are_told_at_the_end(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = 40, .address = BASE);
    PUT(&s, MALLOC, .born = 2, .size = 40, .address = BASE + 64);
    PUT(&s, MALLOC, .born = 3, .size = 40, .address = BASE + 128, .flags = ASSAY_FLAG_PREEXISTING);
    PUT(&s, FREE, .object = 1);
    assert_int_equal(s.count, 0);
    ASSERT_ONLY(&s, T05, OTHER);
    assert_int_equal(s.reports[0].object, 2);
}

static void a_program_is_judged_on_request_only(void **state)
{
    (void)state;
    stream_close(&s);
    stream_open(&s, STREAM_HAS_RECORDED | ASSAY_HAS_ACCESS, NULL);
    for (unsigned p = ASSAY_PROPERTY_T01; p <= ASSAY_PROPERTY_T05; p++)
        assert_false(assay_judge_judges(s.judge, p));
    PUT(&s, MALLOC, .born = 1, .size = 40, .address = BASE);
    PUT(&s, FREE, .object = 1);
    PUT(&s, FREE, .object = 1);
    ASSERT_NONE(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_life_in_order_is_fine),
        TEST(t01_access_before_allocation),
        TEST(t02_access_after_free),
        TEST(t02_a_resize_frees_its_operand),
        TEST(t03_double_free),
        TEST(t04_free_of_what_was_never_allocated),
        TEST(t05_leaks_are_told_at_the_end),
        TEST(a_program_is_judged_on_request_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

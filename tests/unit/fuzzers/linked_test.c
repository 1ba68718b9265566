/* The linked rig: legal programs pass and are judged, Bulwark's own detection reaches the judge, a
 * rig can be made again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fuzzers/linked.h"
#include "traces/core/random.h"

static struct assay_event ops[ASSAY_PROGRAM_MAX_OPS];
static struct assay_violation last;

static void keep(void *self, const struct assay_violation *violation)
{
    last = *violation;
}

static struct assay_linked *make(enum assay_answer detects_double_free)
{
    struct assay_linked *linked;
    struct assay_linked_config config = {
        .touch = ASSAY_TOUCH_FULL, .seed = 3, .max_objects = 65536, .report = keep};
    assay_profile_generic(&config.profile);
    config.profile.detects_double_free = (uint8_t)detects_double_free;
    memset(&last, 0, sizeof last);
    assert_int_equal(assay_linked_create(&config, &linked, NULL), 0);
    return linked;
}

static void decoded_programs_are_judged_and_clean(void **state)
{
    struct assay_linked *linked = make(ASSAY_ANSWER_YES);
    struct assay_program_limits limits = {
        .missing_apis = assay_linked_missing(),
        .max_object_bytes = 1 << 20,
        .max_live_bytes = 16 << 20,
        .max_live_objects = 1000,
    };
    struct assay_random random;
    (void)state;
    assay_random_seed(&random, 9);
    for (int i = 0; i < 200; i++) {
        uint8_t data[600];
        for (size_t j = 0; j < sizeof data; j++)
            data[j] = (uint8_t)assay_random_next(&random);
        struct assay_program program = {.ops = ops, .capacity = ASSAY_PROGRAM_MAX_OPS};
        assay_program_decode(data, sizeof data, &limits, &program);
        assert_int_equal(assay_linked_run(linked, &program), 0);
    }
    const struct assay_judge *judge = assay_linked_judge(linked);
    assert_true(assay_judge_calls(judge) > 200 * 32);
    assert_true(assay_judge_evaluations(judge, ASSAY_PROPERTY_C05) > 0);
    assert_true(assay_judge_evaluations(judge, ASSAY_PROPERTY_C08) > 0);
    assert_true(assay_judge_evaluations(judge, ASSAY_PROPERTY_C26) > 0);
    assay_linked_free(linked);
}

static size_t free_twice(uint8_t second_flags)
{
    memset(ops, 0, 4 * sizeof *ops);
    ops[0] = (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = 40, .born = 1};
    ops[1] = (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = 40, .born = 2};
    ops[2] = (struct assay_event){.kind = ASSAY_OP_FREE, .object = 1};
    ops[3] = (struct assay_event){.kind = ASSAY_OP_FREE, .object = 1, .flags = second_flags};
    return 4;
}

static void a_detected_misuse_is_no_violation_and_the_rig_goes_on(void **state)
{
    struct assay_linked *linked = make(ASSAY_ANSWER_YES);
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct assay_program program = {
            .ops = ops, .capacity = ASSAY_PROGRAM_MAX_OPS, .objects = 2};
        program.count = free_twice(ASSAY_FLAG_MISUSE);
        assert_int_equal(assay_linked_run(linked, &program), 0);
    }
    assert_true(assay_judge_evaluations(assay_linked_judge(linked), ASSAY_PROPERTY_S01) >= 3);
    assay_linked_free(linked);
}

static void the_same_seed_gives_the_same_offsets(void **state)
{
    uint64_t distance[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct assay_linked *linked = make(ASSAY_ANSWER_YES);
        struct assay_program program = {
            .ops = ops, .capacity = ASSAY_PROGRAM_MAX_OPS, .objects = 2};
        program.count = free_twice(ASSAY_FLAG_MISUSE) - 2;
        assert_int_equal(assay_linked_run(linked, &program), 0);
        distance[i] = ops[0].address - ops[1].address;
        assay_linked_free(linked);
    }
    assert_true(distance[0] == distance[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoded_programs_are_judged_and_clean),
        cmocka_unit_test(a_detected_misuse_is_no_violation_and_the_rig_goes_on),
        cmocka_unit_test(the_same_seed_gives_the_same_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

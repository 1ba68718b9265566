/* Every input decodes to a legal program of at least 64 ops; every such program, and every cut of
 * it that is still legal, survives encode and decode unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fuzzers/generate.h"
#include "tests/unit/fuzzers/legal.h"
#include "traces/core/random.h"

static struct assay_event ops_a[ASSAY_PROGRAM_MAX_OPS], ops_b[ASSAY_PROGRAM_MAX_OPS];
static struct assay_program program_a = {.ops = ops_a, .capacity = ASSAY_PROGRAM_MAX_OPS};
static struct assay_program program_b = {.ops = ops_b, .capacity = ASSAY_PROGRAM_MAX_OPS};
static uint8_t input[1 << 17], output[1 << 18];

static void assert_legal(const struct assay_program *program,
                         const struct assay_program_limits *limits, uint64_t seed)
{
    size_t at = 0;
    const char *wrong = first_illegality(program->ops, program->count, limits, &at);
    if (wrong)
        fail_msg("seed %llu, op %zu (%s): %s", (unsigned long long)seed, at,
                 assay_op_info(program->ops[at].kind)->name, wrong);
}

static void assert_survives(const struct assay_program *program,
                            const struct assay_program_limits *limits, uint64_t seed)
{
    size_t bytes = assay_program_encode(program, limits, output, sizeof output);
    if (bytes == 0)
        fail_msg("seed %llu: a program of %zu ops does not encode", (unsigned long long)seed,
                 program->count);
    assay_program_decode(output, bytes, limits, &program_b);
    assert_int_equal(program_b.count, program->count);
    for (size_t i = 0; i < program->count; i++)
        if (memcmp(&program_b.ops[i], &program->ops[i], sizeof program->ops[i]) != 0)
            fail_msg("seed %llu: op %zu (%s) came back as %s", (unsigned long long)seed, i,
                     assay_op_info(program->ops[i].kind)->name,
                     assay_op_info(program_b.ops[i].kind)->name);
}

static void draw_limits(struct assay_random *random, struct assay_program_limits *limits)
{
    assay_program_limits_default(limits);
    limits->misuse = assay_random_below(random, 2);
    if (assay_random_below(random, 3) == 0)
        limits->missing_apis = assay_random_next(random) & ~(UINT64_C(1) << ASSAY_OP_MALLOC);
    if (assay_random_below(random, 4) == 0)
        limits->max_live_objects = 1 + (uint32_t)assay_random_below(random, 20);
    if (assay_random_below(random, 4) == 0)
        limits->max_object_bytes = 64 + assay_random_below(random, 100000);
    if (assay_random_below(random, 4) == 0)
        limits->max_live_bytes = assay_random_below(random, 100000);
}

static void random_bytes_decode_and_come_back(void **state)
{
    struct assay_random random;
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct assay_program_limits limits;
        assay_random_seed(&random, seed);
        draw_limits(&random, &limits);
        size_t size =
            (size_t)assay_random_below(&random, UINT64_C(1) << assay_random_below(&random, 15));
        bool dense = assay_random_below(&random, 2);
        for (size_t i = 0; i < size; i++)
            input[i] = (uint8_t)(dense ? assay_random_next(&random)
                                       : (assay_random_below(&random, 4) ? 255 : i));
        assay_program_decode(input, size, &limits, &program_a);
        bool ends_in_misuse =
            program_a.count && (program_a.ops[program_a.count - 1].flags & ASSAY_FLAG_MISUSE);
        bool exact = size && input[size - 1] == 0xA5;
        assert_true(program_a.count >= ASSAY_PROGRAM_MIN_OPS || ends_in_misuse || exact);
        assert_true(program_a.count <= ASSAY_PROGRAM_MAX_OPS);
        assert_legal(&program_a, &limits, seed);
        assert_survives(&program_a, &limits, seed);
    }
}

static void generated_programs_and_their_beginnings_come_back(void **state)
{
    static struct assay_generator generator;
    (void)state;
    for (uint64_t seed = 0; seed < 600; seed++) {
        struct assay_program_limits limits;
        struct assay_random random;
        bool last;
        assay_random_seed(&random, seed);
        draw_limits(&random, &limits);
        assay_generate_init(&generator, ASSAY_GENERATE_SWARM, &limits);
        assay_generate_start(&generator, 7, seed);
        program_a.count = assay_generate_fill(&generator, ops_a, ASSAY_PROGRAM_MAX_OPS, &last);
        assert_true(last);
        assert_survives(&program_a, &limits, seed);
        program_a.count = (size_t)assay_random_below(&random, program_a.count);
        assert_survives(&program_a, &limits, seed);
    }
}

static void empty_input_is_a_program(void **state)
{
    struct assay_program_limits limits;
    (void)state;
    assay_program_limits_default(&limits);
    assay_program_decode(input, 0, &limits, &program_a);
    assert_int_equal(program_a.count, ASSAY_PROGRAM_MIN_OPS);
    assert_legal(&program_a, &limits, 0);
}

static void illegal_programs_do_not_encode(void **state)
{
    struct assay_program_limits limits;
    (void)state;
    assay_program_limits_default(&limits);
    memset(ops_a, 0, 3 * sizeof ops_a[0]);
    ops_a[0] = (struct assay_event){.kind = ASSAY_OP_MALLOC, .born = 1, .size = 24};
    ops_a[1] = (struct assay_event){.kind = ASSAY_OP_FREE, .object = 1};
    program_a.count = 2;
    assert_true(assay_program_encode(&program_a, &limits, output, sizeof output) > 0);
    assert_int_equal(assay_program_encode(&program_a, &limits, output, 15), 0);
    ops_a[2] = ops_a[1];
    program_a.count = 3;
    assert_int_equal(assay_program_encode(&program_a, &limits, output, sizeof output), 0);
    ops_a[2].flags = ASSAY_FLAG_MISUSE;
    assert_int_equal(assay_program_encode(&program_a, &limits, output, sizeof output), 0);
    limits.misuse = true;
    assert_true(assay_program_encode(&program_a, &limits, output, sizeof output) > 0);
    ops_a[0].size = limits.max_object_bytes + 1;
    assert_int_equal(assay_program_encode(&program_a, &limits, output, sizeof output), 0);
    ops_a[0].size = 24;
    ops_a[0].time = 5; /* what executing it left behind */
    ops_a[0].flags = ASSAY_FLAG_EXECUTED;
    assert_true(assay_program_encode(&program_a, &limits, output, sizeof output) > 0);
    ops_a[0].thread = 1;
    assert_int_equal(assay_program_encode(&program_a, &limits, output, sizeof output), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bytes_decode_and_come_back),
        cmocka_unit_test(generated_programs_and_their_beginnings_come_back),
        cmocka_unit_test(empty_input_is_a_program),
        cmocka_unit_test(illegal_programs_do_not_encode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

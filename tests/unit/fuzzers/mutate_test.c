/* A mutant is legal whatever its parents were, follows from its number alone, has an encoding, and
 * differs from its parents; a copy does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fuzzers/generate.h"
#include "fuzzers/mutate.h"
#include "tests/unit/fuzzers/legal.h"

static struct assay_event ops_a[ASSAY_PROGRAM_MAX_OPS], ops_b[ASSAY_PROGRAM_MAX_OPS];
static struct assay_event made[ASSAY_PROGRAM_MAX_OPS], again[ASSAY_PROGRAM_MAX_OPS];
static struct assay_program a = {.ops = ops_a, .capacity = ASSAY_PROGRAM_MAX_OPS};
static struct assay_program b = {.ops = ops_b, .capacity = ASSAY_PROGRAM_MAX_OPS};
static struct assay_mutator mutator;
static uint8_t bytes[ASSAY_PROGRAM_MAX_OPS * 32];

static void decode_noise(struct assay_random *random, const struct assay_program_limits *limits,
                         struct assay_program *program)
{
    size_t size = (size_t)assay_random_below(random, UINT64_C(8) << assay_random_below(random, 12));
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(assay_random_next(random) >> 56);
    if (size && assay_random_below(random, 8) == 0)
        bytes[size - 1] = 0xA5; /* just the records, maybe none */
    assay_program_decode(bytes, size, limits, program);
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
}

static void mutants_are_legal_and_encode(void **state)
{
    struct assay_random random;
    uint64_t misuses = 0, longest = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct assay_program_limits limits;
        assay_random_seed(&random, seed);
        draw_limits(&random, &limits);
        decode_noise(&random, &limits, &a);
        decode_noise(&random, &limits, &b);
        assay_mutate_init(&mutator, &limits);
        size_t at = 0, n = assay_mutate(&mutator, 7, seed, &a, seed % 3 ? &b : &a, made);
        assert_true(n >= ASSAY_PROGRAM_MIN_OPS && n <= ASSAY_PROGRAM_MAX_OPS);
        const char *wrong = first_illegality(made, n, &limits, &at);
        if (wrong)
            fail_msg("seed %llu, op %zu (%s): %s", (unsigned long long)seed, at,
                     assay_op_info(made[at].kind)->name, wrong);
        const struct assay_program mutant = {.ops = made, .count = n};
        assert_true(assay_program_encode(&mutant, &limits, bytes, sizeof bytes) > 0);
        misuses += made[n - 1].flags == ASSAY_FLAG_MISUSE;
        longest = n > longest ? n : longest;
    }
    assert_true(misuses > 10 && longest == ASSAY_PROGRAM_MAX_OPS);
}

static void a_number_makes_the_same_mutant_again(void **state)
{
    struct assay_program_limits limits;
    struct assay_random random;
    unsigned changed = 0;
    (void)state;
    assay_program_limits_default(&limits);
    assay_mutate_init(&mutator, &limits);
    for (uint64_t index = 0; index < 200; index++) {
        assay_random_seed(&random, index);
        decode_noise(&random, &limits, &a);
        decode_noise(&random, &limits, &b);
        size_t n = assay_mutate(&mutator, 3, index, &a, &b, made);
        assay_mutate(&mutator, 3, index + 1, &b, &a, again);
        assert_int_equal(assay_mutate(&mutator, 3, index, &a, &b, again), n);
        assert_memory_equal(made, again, n * sizeof *made);
        changed += n != a.count || memcmp(made, ops_a, n * sizeof *made) != 0;
    }
    assert_true(changed > 190);
}

static void a_copy_is_the_program(void **state)
{
    struct assay_program_limits limits;
    struct assay_random random;
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        assay_random_seed(&random, seed);
        draw_limits(&random, &limits);
        decode_noise(&random, &limits, &a);
        assay_mutate_init(&mutator, &limits);
        size_t n = assay_mutate_copy(&mutator, &a, made);
        if (a.count == 0) {
            assert_int_equal(n, 1);
            continue;
        }
        assert_int_equal(n, a.count);
        for (size_t i = 0; i < n; i++)
            if (memcmp(&made[i], &ops_a[i], sizeof made[i]) != 0)
                fail_msg("seed %llu: op %zu (%s) is another", (unsigned long long)seed, i,
                         assay_op_info(ops_a[i].kind)->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutants_are_legal_and_encode),
        cmocka_unit_test(a_number_makes_the_same_mutant_again),
        cmocka_unit_test(a_copy_is_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

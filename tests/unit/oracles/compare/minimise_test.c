/* Minimising keeps the finding, ends at what the finding needs, and only ever asks about legal
 * programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fuzzers/generate.h"
#include "oracles/compare/minimise.h"
#include "tests/unit/fuzzers/legal.h"

static struct assay_generator generator;
static struct assay_event ops[ASSAY_PROGRAM_MAX_OPS];
static struct assay_program_limits limits;
static unsigned tests_made, budget;

/* The imagined bug: a realloc of an aligned object of at least 100 bytes while another object lives
 * that calloc made. */
static bool shows(void *self, struct assay_event *program, size_t n)
{
    static bool aligned[ASSAY_PROGRAM_MAX_OPS + 1], zeroed[ASSAY_PROGRAM_MAX_OPS + 1];
    static uint64_t bytes[ASSAY_PROGRAM_MAX_OPS + 1];
    unsigned live_zeroed = 0;
    size_t at = 0;
    const char *wrong = first_illegality(program, n, &limits, &at);
    (void)self;
    if (wrong)
        fail_msg("asked about an illegal program: op %zu (%s): %s", at,
                 assay_op_info(program[at].kind)->name, wrong);
    tests_made++;
    for (size_t i = 0; i < n; i++) {
        const struct assay_event *op = &program[i];
        bool refused = assay_event_refused(op);
        enum assay_op_class op_class = assay_op_info(op->kind)->op_class;
        if (op->object && op_class == ASSAY_CLASS_RESIZE && aligned[op->object] &&
            bytes[op->object] >= 100 && live_zeroed > zeroed[op->object])
            return true;
        if (op->object &&
            (op_class == ASSAY_CLASS_RELEASE || (op_class == ASSAY_CLASS_RESIZE && !refused)))
            live_zeroed -= zeroed[op->object];
        if (op->born) {
            zeroed[op->born] = op->kind == ASSAY_OP_CALLOC && !refused;
            aligned[op->born] = assay_event_alignment(op) != 0 && !refused;
            assay_event_bytes(op, &bytes[op->born]);
            live_zeroed += zeroed[op->born];
        }
    }
    return false;
}

static bool expired(void *self)
{
    (void)self;
    return budget != 0 && tests_made >= budget;
}

static void comes_down_to_what_is_needed(void **state)
{
    const struct assay_minimise minimise = {.test = shows};
    unsigned tried = 0, total = 0;
    (void)state;
    for (uint64_t index = 0; index < 400 && tried < 40; index++) {
        bool last;
        assay_generate_start(&generator, 5, index);
        size_t n = assay_generate_fill(&generator, ops, ASSAY_PROGRAM_MAX_OPS, &last);
        if (!shows(NULL, ops, n))
            continue;
        tried++;
        tests_made = budget = 0;
        size_t left = assay_minimise(ops, n, &minimise);
        total += tests_made;
        assert_true(shows(NULL, ops, left));
        /* calloc, aligned allocation, realloc */
        assert_int_equal(left, 3);
        for (size_t i = 0; i < left; i++)
            if (ops[i].kind != ASSAY_OP_CALLOC && ops[i].kind != ASSAY_OP_REALLOC)
                assert_in_range(ops[i].size, 100, 199);
    }
    assert_int_equal(tried, 40);
    assert_true(total / tried < 3000);
}

static void stops_when_time_is_up_with_what_it_has(void **state)
{
    const struct assay_minimise minimise = {.test = shows, .expired = expired};
    (void)state;
    for (uint64_t index = 0; index < 400; index++) {
        bool last;
        assay_generate_start(&generator, 5, index);
        size_t n = assay_generate_fill(&generator, ops, ASSAY_PROGRAM_MAX_OPS, &last);
        if (n < 500 || !shows(NULL, ops, n))
            continue;
        tests_made = 0;
        budget = 4;
        size_t left = assay_minimise(ops, n, &minimise);
        assert_true(tests_made <= 5);
        assert_true(left <= n && shows(NULL, ops, left));
        budget = 0;
        return;
    }
    fail_msg("no program to minimise");
}

static void what_does_not_show_is_left_alone(void **state)
{
    const struct assay_minimise minimise = {.test = shows};
    struct assay_event small[2] = {{.kind = ASSAY_OP_MALLOC, .born = 1, .size = 5},
                                   {.kind = ASSAY_OP_FREE, .object = 1}};
    (void)state;
    assert_int_equal(assay_minimise(small, 2, &minimise), 2);
    assert_int_equal(small[1].object, 1);
}

static void a_dropped_resize_lets_the_old_object_live_on(void **state)
{
    struct assay_event out[4];
    const struct assay_event program[4] = {
        {.kind = ASSAY_OP_MALLOC, .born = 1, .size = 100},
        {.kind = ASSAY_OP_REALLOC, .object = 1, .born = 2, .size = 200},
        {.kind = ASSAY_OP_WRITE, .object = 2, .arg = 150, .size = 10},
        {.kind = ASSAY_OP_FREE_SIZED, .object = 2, .size = 200},
    };
    const bool keep[4] = {true, false, true, true};
    (void)state;
    assert_int_equal(assay_minimise_repair(program, 4, keep, out), 2);
    assert_int_equal(out[1].kind, ASSAY_OP_FREE_SIZED);
    assert_int_equal(out[1].object, 1);
    assert_int_equal(out[1].size, 100);
}

static int set_up(void **state)
{
    (void)state;
    assay_program_limits_default(&limits);
    assay_generate_init(&generator, ASSAY_GENERATE_SWARM, &limits);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_down_to_what_is_needed),
        cmocka_unit_test(stops_when_time_is_up_with_what_it_has),
        cmocka_unit_test(what_does_not_show_is_left_alone),
        cmocka_unit_test(a_dropped_resize_lets_the_old_object_live_on),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

/* Generated programs are legal, repeat from their number, reach every kind, every boundary and
 * every phase, and the mix keeps its promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fuzzers/generate.h"
#include "tests/unit/fuzzers/legal.h"

static struct assay_generator generator, other;
static struct assay_event ops[ASSAY_GENERATE_MIX_OPS], again[ASSAY_GENERATE_MIX_OPS];

static size_t whole_program(struct assay_generator *g, uint64_t index, struct assay_event *out,
                            size_t step)
{
    size_t n = 0;
    bool last = false;
    assay_generate_start(g, 42, index);
    while (!last) {
        size_t room = ASSAY_GENERATE_MIX_OPS - n < step ? ASSAY_GENERATE_MIX_OPS - n : step;
        n += assay_generate_fill(g, out + n, room, &last);
    }
    return n;
}

static void swarm_is_legal_and_reaches_everything(void **state)
{
    struct assay_program_limits limits;
    uint64_t kinds[ASSAY_OP_COUNT] = {0}, misuses = 0, wraps = 0, zero = 0, null = 0, large = 0;
    (void)state;
    assay_program_limits_default(&limits);
    limits.misuse = true;
    assay_generate_init(&generator, ASSAY_GENERATE_SWARM, &limits);
    for (uint64_t index = 0; index < 2000; index++) {
        size_t at = 0, n = whole_program(&generator, index, ops, 1000);
        const char *wrong = first_illegality(ops, n, &limits, &at);
        if (wrong)
            fail_msg("program %llu, op %zu (%s): %s", (unsigned long long)index, at,
                     assay_op_info(ops[at].kind)->name, wrong);
        assert_true(n >= ASSAY_PROGRAM_MIN_OPS && n <= ASSAY_PROGRAM_MAX_OPS);
        for (size_t i = 0; i < n; i++) {
            uint64_t bytes;
            bool fits = assay_event_bytes(&ops[i], &bytes);
            kinds[ops[i].kind]++;
            misuses += (ops[i].flags & ASSAY_FLAG_MISUSE) != 0;
            wraps += !fits || bytes > (uint64_t)INT64_MAX;
            zero += assay_event_bears(&ops[i]) && bytes == 0;
            null += ops[i].place == ASSAY_PLACE_NULL;
            large += fits && bytes >= 1 << 17 && bytes <= limits.max_object_bytes;
        }
    }
    for (unsigned kind = ASSAY_OP_MALLOC; kind <= ASSAY_OP_CHECK; kind++)
        if (kind != ASSAY_OP_TRIM && kinds[kind] == 0)
            fail_msg("no %s in 2,000 programs", assay_op_info(kind)->name);
    assert_true(misuses > 30 && wraps > 1000 && zero > 1000 && null > 1000 && large > 100);
}

/* What only the limits of the isolated fuzzer allow: thousands live at a time, objects of many MiB.
 */
static void wide_limits_are_used(void **state)
{
    struct assay_program_limits limits;
    uint64_t crowds = 0, huge = 0;
    (void)state;
    assay_program_limits_default(&limits);
    limits.max_object_bytes = UINT64_C(1) << 26;
    limits.max_live_bytes = UINT64_C(1) << 27;
    limits.max_live_objects = ASSAY_GENERATE_MAX_LIVE;
    assay_generate_init(&generator, ASSAY_GENERATE_SWARM, &limits);
    for (uint64_t index = 0; index < 2000; index++) {
        size_t at = 0, n = whole_program(&generator, index, ops, 1000);
        const char *wrong = first_illegality(ops, n, &limits, &at);
        if (wrong)
            fail_msg("program %llu, op %zu (%s): %s", (unsigned long long)index, at,
                     assay_op_info(ops[at].kind)->name, wrong);
        assert_true(n <= ASSAY_GENERATE_CROWD_OPS);
        crowds += n > ASSAY_PROGRAM_MAX_OPS && generator.live.born > ASSAY_PROGRAM_MAX_OPS;
        for (size_t i = 0; i < n; i++) {
            uint64_t bytes;
            huge += assay_event_bytes(&ops[i], &bytes) && bytes > 4u << 20 &&
                    bytes <= limits.max_object_bytes;
        }
    }
    assert_true(crowds > 5 && huge > 20);
}

static void a_program_repeats_from_its_number(void **state)
{
    struct assay_program_limits limits;
    (void)state;
    assay_program_limits_default(&limits);
    assay_generate_init(&generator, ASSAY_GENERATE_SWARM, &limits);
    assay_generate_init(&other, ASSAY_GENERATE_SWARM, &limits);
    for (uint64_t index = 0; index < 50; index++) {
        size_t n = whole_program(&generator, index, ops, ASSAY_GENERATE_MIX_OPS);
        whole_program(&other, 1000 - index, again, 500);
        assert_int_equal(whole_program(&other, index, again, 77), n);
        assert_memory_equal(ops, again, n * sizeof ops[0]);
    }
}

static void mix_keeps_its_promises(void **state)
{
    struct assay_program_limits limits;
    size_t at = 0, live = 0, live_min = SIZE_MAX, births = 0, over_4k = 0, over_128k = 0,
           resizes = 0;
    (void)state;
    assay_program_limits_default(&limits);
    limits.max_live_bytes = UINT64_C(1) << 28;
    assay_generate_init(&generator, ASSAY_GENERATE_MIX, &limits);
    size_t n = whole_program(&generator, 3, ops, 4096);
    assert_null(first_illegality(ops, n, &limits, &at));
    for (size_t i = 0; i < n; i++) {
        bool bears = assay_event_bears(&ops[i]);
        live += bears && !ops[i].object;
        live -= !bears;
        if (i > 8192 && live < live_min)
            live_min = live;
        births += bears;
        over_4k += bears && ops[i].size > 4096;
        over_128k += bears && ops[i].size > 131072;
        resizes += ops[i].kind == ASSAY_OP_REALLOC;
    }
    assert_true(live_min >= 1000);
    assert_in_range(resizes * 1000 / n, 90, 110);
    assert_in_range(over_4k * 1000 / births, 43, 57);
    assert_in_range(over_128k * 1000 / births, 7, 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swarm_is_legal_and_reaches_everything),
        cmocka_unit_test(wide_limits_are_used),
        cmocka_unit_test(a_program_repeats_from_its_number),
        cmocka_unit_test(mix_keeps_its_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The same behaviour at other addresses is the same features; another place, another refusal,
 * another count is a new one; nonsense in events is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fuzzers/features.h"
#include "traces/core/random.h"

enum { OBJECTS = 1000 };

static struct assay_features features;
static struct assay_features_seen seen;
static struct assay_arena arena;

static int set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    assert_int_equal(assay_arena_create(&arena, assay_features_bytes(OBJECTS), NULL), 0);
    assert_true(assay_features_create(&features, &arena, OBJECTS));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assay_arena_destroy(&arena);
    return 0;
}

static void tell_malloc(uint32_t born, uint64_t size, uint64_t address)
{
    const struct assay_event event = {.kind = ASSAY_OP_MALLOC,
                                      .flags = ASSAY_FLAG_EXECUTED,
                                      .born = born,
                                      .size = size,
                                      .address = address,
                                      .error = address ? 0 : 12};
    assay_features_after(&features, &event);
}

static void tell_free(uint32_t object)
{
    const struct assay_event event = {
        .kind = ASSAY_OP_FREE, .flags = ASSAY_FLAG_EXECUTED, .object = object};
    assay_features_after(&features, &event);
}

static void tell_realloc(uint32_t object, uint32_t born, uint64_t size, uint64_t address)
{
    const struct assay_event event = {.kind = ASSAY_OP_REALLOC,
                                      .flags = ASSAY_FLAG_EXECUTED,
                                      .object = object,
                                      .born = born,
                                      .size = size,
                                      .address = address};
    assay_features_after(&features, &event);
}

static unsigned news(void)
{
    uint16_t rarest = 0;
    unsigned n = assay_features_enter(&features, &seen, &rarest);
    if (n)
        assert_true(rarest < ASSAY_FEATURES && seen.shown[rarest] > 0);
    assay_features_reset(&features);
    return n;
}

static void two_objects(uint64_t base)
{
    tell_malloc(1, 24, base);
    tell_malloc(2, 24, base + 32);
    tell_free(1);
    tell_malloc(3, 20, base);
}

static void addresses_do_not_matter(void **state)
{
    (void)state;
    two_objects(0x10000);
    assert_true(news() > 5);
    two_objects(0x7f0000540000);
    assert_int_equal(news(), 0);
    assert_int_equal(seen.shown[0] <= 2, 1);
}

static void places_are_told_apart(void **state)
{
    const uint64_t base = 0x100000;
    static const uint64_t places[] = {
        0,      /* the base of a freed object */
        8192,   /* inside its last occupant */
        0x4000, /* behind a freed one */
        0x8010, /* behind a live one */
        0x7f80, /* before one */
        0x80000 /* far from all */
    };
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
            tell_malloc(1, 0x4000, base);
            tell_free(1);
            tell_malloc(2, 16, base + 0x8000);
            tell_malloc(3, 0x78, base + places[i]);
            unsigned n = news();
            assert_true(round ? n == 0 : n > 0);
        }
    }
}

static void refusals_resizes_and_counts_are_features(void **state)
{
    (void)state;
    tell_malloc(1, 64, 0x1000);
    news();
    tell_malloc(1, 64, 0);
    assert_true(news() > 0);
    tell_malloc(1, 64, 0x1000);
    tell_realloc(1, 2, 80, 0x1000);
    assert_true(news() > 0);
    tell_malloc(1, 64, 0x1000);
    tell_realloc(1, 2, 80, 0x2000);
    assert_true(news() > 0);
    for (unsigned times = 1; times <= 4; times *= 4) {
        for (uint32_t i = 1; i <= times; i++)
            tell_malloc(i, 1000, i * 0x10000);
        assert_true(news() > 0);
    }
}

static void nonsense_is_passed_over(void **state)
{
    struct assay_random random;
    (void)state;
    assay_random_seed(&random, 1);
    for (unsigned i = 0; i < 200000; i++) {
        struct assay_event event;
        uint64_t words[sizeof event / 8];
        for (size_t j = 0; j < sizeof words / sizeof words[0]; j++)
            words[j] = assay_random_next(&random) >> assay_random_below(&random, 64);
        memcpy(&event, words, sizeof event);
        event.kind = (uint8_t)assay_random_below(&random, 24);
        event.flags |= ASSAY_FLAG_EXECUTED;
        event.object %= OBJECTS + 10;
        event.born %= OBJECTS + 10;
        assay_features_after(&features, &event);
        if (i % 1000 == 0)
            news();
    }
    assert_true(features.touched_count <= ASSAY_FEATURES && seen.features <= ASSAY_FEATURES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(addresses_do_not_matter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_resizes_and_counts_are_features, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nonsense_is_passed_over, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

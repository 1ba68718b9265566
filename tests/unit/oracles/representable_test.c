/* CHERI Concentrate against published vectors, and C37 over streams. */
#include "oracles/model/representable.h"
#include "tests/unit/oracles/stream.h"

enum { V9 = 14, MORELLO = 16, CHERI_64 = 8 };

static void lengths_are_rounded_as_published(void **state)
{
    (void)state;
    static const struct {
        unsigned mantissa;
        uint64_t length, rounded;
    } vectors[] = {
        {V9, 0xfff, 0xfff},        {V9, 0x1001, 0x1008},        {V9, 0x1fff, 0x2000},
        {V9, 0x4001, 0x4020},      {V9, 0x100001, 0x100800},    {MORELLO, 0x3fff, 0x3fff},
        {MORELLO, 0x4001, 0x4008}, {MORELLO, 0x10001, 0x10020}, {CHERI_64, 0x3f, 0x3f},
        {CHERI_64, 0xfff, 0x1000}, {CHERI_64, 0x1001, 0x1200},  {CHERI_64, 0x4e20, 0x5000},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_int_equal(assay_representable_length(vectors[i].length, vectors[i].mantissa),
                         vectors[i].rounded);
}

/* What is rounded once needs no more rounding, and nothing is ever cut off. */
static void bounds_are_exact_once_rounded(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 300000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t length = (seed >> (20 + seed % 40)) + 1, base = (seed * 31) >> 17;
        unsigned mantissa = i % 3 == 0 ? V9 : i % 3 == 1 ? MORELLO : CHERI_64;
        uint64_t from, to, again_from, again_to;
        assay_representable_bounds(base, length, mantissa, &from, &to);
        assert_true(from <= base && to >= base + length);
        assay_representable_bounds(from, to - from, mantissa, &again_from, &again_to);
        assert_true(from == again_from && to == again_to);
        uint64_t mask = assay_representable_mask(to - from, mantissa);
        assert_true((from & ~mask) == 0 && (to & ~mask) == 0);
    }
}

static struct stream s;

static void open_stream(uint32_t mantissa)
{
    struct assay_profile profile;
    assay_profile_generic(&profile);
    profile.cheri_mantissa = mantissa;
    stream_open(&s, STREAM_HAS_ALL, &profile);
}

static void c37_a_long_object_needs_room(void **state)
{
    (void)state;
    open_stream(V9);
    PUT(&s, MALLOC, .born = 1, .size = 0x4001, .address = 0x100000);
    PUT(&s, MALLOC, .born = 2, .size = 16, .address = 0x104020); /* behind the rounded end */
    ASSERT_NONE(&s);
    assert_true(assay_judge_evaluations(s.judge, ASSAY_PROPERTY_C37) == 2);
    PUT(&s, MALLOC, .born = 3, .size = 8, .address = 0x104010); /* before it */
    ASSERT_ONLY(&s, C37, OVERLAP_PARTIAL);
    assert_int_equal(s.reports[0].other, 1);
    stream_close(&s);
}

static void c37_counts_whoever_comes_second(void **state)
{
    (void)state;
    open_stream(CHERI_64);
    PUT(&s, MALLOC, .born = 1, .size = 16, .address = 0xfff0);
    PUT(&s, MALLOC, .born = 2, .size = 0x1001, .address = 0x10010); /* its base is rounded down */
    ASSERT_NONE(&s);
    PUT(&s, MALLOC, .born = 3, .size = 16, .address = 0x10000);
    ASSERT_ONLY(&s, C37, OVERLAP_PARTIAL);
    PUT(&s, FREE, .object = 2);
    PUT(&s, MALLOC, .born = 4, .size = 100000, .address = 0x20000);
    PUT(&s, MALLOC, .born = 5, .size = 100000, .address = 0x20000 + 100000 + 400);
    ASSERT_ONLY(&s, C37, OVERLAP_PARTIAL);
    stream_close(&s);
}

/* Sizes and addresses that only a broken allocator or a hostile trace has. */
static void c37_at_the_end_of_the_address_space(void **state)
{
    (void)state;
    for (uint32_t mantissa = 5; mantissa <= V9; mantissa += 9) {
        open_stream(mantissa);
        PUT(&s, MALLOC, .born = 1, .size = (UINT64_C(1) << 48) - 1,
            .address = UINT64_C(0xfffffffffffff000));
        PUT(&s, MALLOC, .born = 2, .size = (UINT64_C(1) << 48) - 1, .address = 0x1000);
        for (uint32_t i = 3; i < 2000; i++)
            PUT(&s, MALLOC, .born = i, .size = 16,
                .address = (UINT64_C(1) << 52) + UINT64_C(1000000) * 4 * i);
        stream_close(&s);
    }
    assert_int_equal(assay_representable_mask(UINT64_MAX, 5) & 1, 0);
}

static void c37_needs_the_promise(void **state)
{
    (void)state;
    for (uint32_t mantissa = 0; mantissa < 100; mantissa += 99) {
        open_stream(mantissa);
        assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C37));
        PUT(&s, MALLOC, .born = 1, .size = 0x4001, .address = 0x100000);
        PUT(&s, MALLOC, .born = 3, .size = 8, .address = 0x104010);
        ASSERT_NONE(&s);
        stream_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_rounded_as_published),
        cmocka_unit_test(bounds_are_exact_once_rounded),
        cmocka_unit_test(c37_a_long_object_needs_room),
        cmocka_unit_test(c37_counts_whoever_comes_second),
        cmocka_unit_test(c37_at_the_end_of_the_address_space),
        cmocka_unit_test(c37_needs_the_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* C17, C24, C25, C34: what is wrong is flagged by exactly that property, what is right by none. */
#include <signal.h>

#include "tests/unit/oracles/stream.h"

enum { BASE = 0x10000000 };

static struct stream s;

static int setup(void **state)
{
    struct assay_profile profile;
    (void)state;
    assay_profile_generic(&profile);
    profile.good_size_exact_to = 100000;
    profile.statistics_mapped = ASSAY_ANSWER_NO;
    profile.statistics_slack = 1 << 20;
    stream_open(&s, STREAM_HAS_ALL, &profile);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stream_close(&s);
    return 0;
}

/* A birth with that many usable bytes more. */
#define BEAR(KIND, number, bytes, where, extra, ...)                                               \
    PUT(&s, KIND, .born = (number), .size = (bytes), .address = (where),                           \
        .flags = ASSAY_FLAG_EXECUTED | ASSAY_FLAG_USABLE, .usable_extra = (extra),                 \
        .checked = ASSAY_FACT_FOREIGN, __VA_ARGS__)

static void c17_what_rezalloc_added(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 100, BASE);
    PUT(&s, REZALLOC, .object = 1, .born = 2, .size = 200, .address = BASE,
        .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_PREFIX | ASSAY_FACT_ZERO);
    PUT(&s, REZALLOC, .place = ASSAY_PLACE_NULL, .born = 3, .size = 40, .address = BASE + 1024,
        .checked = ASSAY_FACT_ZERO);
    ASSERT_NONE(&s);
    PUT(&s, REZALLOC, .object = 2, .born = 4, .size = 400, .address = BASE,
        .checked = ASSAY_FACT_PREFIX | ASSAY_FACT_ZERO, .failed = ASSAY_FACT_ZERO);
    PUT(&s, EVIDENCE, .object = 4, .arg = 210, .failed = ASSAY_FACT_ZERO, .value = 77);
    ASSERT_ONLY(&s, C17, CONTENT_UNKNOWN);
    PUT(&s, REZALLOC, .object = 3, .born = 5, .size = 400, .address = BASE + 2048,
        .checked = ASSAY_FACT_PREFIX, .failed = ASSAY_FACT_PREFIX);
    PUT(&s, EVIDENCE, .object = 5, .arg = 3, .failed = ASSAY_FACT_PREFIX, .size = 9);
    ASSERT_ONLY(&s, C12, CONTENT_ZEROED);
}

static void rezalloc_is_in_no_standard(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 100, BASE);
    PUT(&s, REZALLOC, .object = 1, .born = 2, .size = UINT64_MAX - 5); /* errno stays 0 */
    PUT(&s, REZALLOC, .place = ASSAY_PLACE_NULL, .born = 3, .size = UINT64_C(100) << 20);
    ASSERT_NONE(&s);
    PUT(&s, REZALLOC, .object = 1, .born = 4, .size = 200, .error = ENOMEM);
    ASSERT_ONLY(&s, C01, NULL);
}

/* The slot of a sized release comes out for a request that it cannot hold. */
static void c24_a_slot_in_the_wrong_class(void **state)
{
    (void)state;
    BEAR(MALLOC, 1, 100, BASE, 12);
    BEAR(ALIGNED_ALLOC, 2, 0, BASE + 1024, 48, .arg = 32);
    PUT(&s, FREE_ALIGNED_SIZED, .object = 2, .size = 0, .arg = 32);
    ASSERT_NONE(&s);
    BEAR(MALLOC, 3, 100, BASE + 1024, -52);
    ASSERT_ONLY(&s, C24, OTHER);
}

static void c24_needs_proof(void **state)
{
    (void)state;
    BEAR(ALIGNED_ALLOC, 1, 0, BASE + 1024, 48, .arg = 32);
    PUT(&s, FREE_ALIGNED_SIZED, .object = 1, .size = 0, .arg = 32);
    BEAR(MALLOC, 2, 100, BASE + 1024, -52); /* no other such request was ever served */
    ASSERT_ONLY(&s, C04, OTHER);
    BEAR(MALLOC, 3, 50, BASE + 2048, 14);
    stream_malloc(&s, 4, 16, BASE + 4096);
    stream_free(&s, 4);
    BEAR(MALLOC, 5, 50, BASE + 4096, -26); /* freed without a size */
    ASSERT_ONLY(&s, C04, OTHER);
}

static void c24_overlap(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = 100, .address = BASE);
    PUT(&s, MALLOC, .born = 2, .size = 16, .address = BASE + 1024);
    PUT(&s, MALLOC, .born = 3, .size = 16, .address = BASE + 1024 + 16);
    PUT(&s, FREE_SIZED, .object = 2, .size = 16);
    PUT(&s, MALLOC, .born = 4, .size = 100, .address = BASE + 1024);
    ASSERT_ONLY(&s, C24, OVERLAP_PARTIAL);
}

/* The slot is large enough and was handed out twice: that it was freed with its size says nothing.
 */
static void c24_is_no_overlap_of_equals(void **state)
{
    (void)state;
    BEAR(MALLOC, 1, 100, BASE, 12);
    BEAR(MALLOC, 2, 100, BASE + 1024, 12);
    PUT(&s, FREE_SIZED, .object = 2, .size = 100);
    BEAR(MALLOC, 3, 20, BASE + 1024 + 16, 12); /* within the slot that is free */
    ASSERT_NONE(&s);
    BEAR(MALLOC, 4, 100, BASE + 1024, 12);
    ASSERT_ONLY(&s, C05, OVERLAP_PARTIAL);
}

static void c24_a_size_that_is_not_taken(void **state)
{
    (void)state;
    BEAR(ALIGNED_ALLOC, 1, 0, BASE + 1024, 48, .arg = 32);
    PUT(&s, FREE_ALIGNED_SIZED, .object = 1, .size = 0, .arg = 32, .signal = SIGABRT);
    ASSERT_ONLY(&s, C24, ABORT);
    assay_judge_reset(s.judge);
    stream_malloc(&s, 1, 20, BASE);
    PUT(&s, FREE_SIZED, .object = 1, .size = 20, .signal = SIGSEGV);
    ASSERT_ONLY(&s, C26, CRASH);
}

static void c25_good_size(void **state)
{
    (void)state;
    PUT(&s, GOOD_SIZE, .size = 100, .value = 112);
    BEAR(MALLOC, 1, 90, BASE, 6);
    BEAR(MALLOC, 2, 100, BASE + 1024, 12);
    PUT(&s, GOOD_SIZE, .size = 200000, .value = 204800);
    BEAR(MALLOC, 3, 200000, BASE + (1 << 20), 100); /* the profile promises less */
    ASSERT_NONE(&s);
    PUT(&s, GOOD_SIZE, .size = 100, .value = 128);
    BEAR(MALLOC, 4, 100, BASE + 2048, 12);
    ASSERT_ONLY(&s, C25, OTHER);
    PUT(&s, GOOD_SIZE, .size = 100, .value = 96);
    ASSERT_ONLY(&s, C25, OTHER);
}

/* Such allocators hide what a class could hold. */
static void c25_usable_sizes_that_are_requested_ones(void **state)
{
    (void)state;
    PUT(&s, GOOD_SIZE, .size = 100, .value = 128);
    BEAR(MALLOC, 1, 100, BASE, 0);
    ASSERT_NONE(&s);
    PUT(&s, GOOD_SIZE, .size = 100, .value = 96);
    ASSERT_ONLY(&s, C25, OTHER);
}

/* What hides nothing has no excuse: the subject showed it, or its profile says so. */
static void c25_class_edges(void **state)
{
    (void)state;
    PUT(&s, GOOD_SIZE, .size = 16, .value = 32);
    BEAR(MALLOC, 1, 16, BASE, 0);
    BEAR(MALLOC, 2, 17, BASE + 64, 15); /* no good size of it was asked for */
    PUT(&s, GOOD_SIZE, .size = 16, .value = 32);
    BEAR(MALLOC, 3, 16, BASE + 128, 0);
    ASSERT_NONE(&s);
    PUT(&s, GOOD_SIZE, .size = 17, .value = 32);
    BEAR(MALLOC, 4, 17, BASE + 192, 15);
    PUT(&s, GOOD_SIZE, .size = 32, .value = 32);
    BEAR(MALLOC, 5, 32, BASE + 256, 0);
    ASSERT_NONE(&s);
    PUT(&s, GOOD_SIZE, .size = 64, .value = 80); /* of this class nothing is known */
    BEAR(MALLOC, 6, 64, BASE + 320, 0);
    ASSERT_NONE(&s);
    PUT(&s, GOOD_SIZE, .size = 16, .value = 32);
    BEAR(MALLOC, 7, 16, BASE + 384, 0);
    ASSERT_ONLY(&s, C25, OTHER);
    assay_judge_reset(s.judge); /* each program for itself */
    PUT(&s, GOOD_SIZE, .size = 16, .value = 32);
    BEAR(MALLOC, 1, 16, BASE, 0);
    ASSERT_NONE(&s);
}

static void c25_class_edges_by_profile(void **state)
{
    struct assay_profile profile;
    (void)state;
    for (unsigned answer = ASSAY_ANSWER_NO; answer <= ASSAY_ANSWER_YES; answer++) {
        stream_close(&s);
        assay_profile_generic(&profile);
        profile.usable_is_requested = (uint8_t)answer;
        stream_open(&s, STREAM_HAS_ALL, &profile);
        PUT(&s, GOOD_SIZE, .size = 16, .value = 32);
        BEAR(MALLOC, 1, 16, BASE, 0);
        if (answer == ASSAY_ANSWER_NO)
            ASSERT_ONLY(&s, C25, OTHER);
        else
            ASSERT_NONE(&s);
    }
}

static void c34_bytes_in_use(void **state)
{
    enum { MIB = 1 << 20 };
    (void)state;
    for (uint32_t i = 1; i <= 8; i++)
        PUT(&s, MALLOC, .born = i, .size = MIB, .address = BASE + (uint64_t)i * 2 * MIB);
    PUT(&s, STATISTICS, .value = 0); /* none are kept */
    PUT(&s, STATISTICS, .value = 8 * MIB);
    PUT(&s, STATISTICS, .arg = 1,
        .value = 900 * (uint64_t)MIB); /* mapped bytes are counted twice */
    ASSERT_NONE(&s);
    PUT(&s, STATISTICS, .value = 6 * MIB);
    ASSERT_ONLY(&s, C34, OTHER);
    for (uint32_t i = 1; i <= 8; i++)
        PUT(&s, FREE, .object = i);
    PUT(&s, STATISTICS, .value = MIB);
    ASSERT_NONE(&s);
    PUT(&s, STATISTICS, .value = 2 * MIB);
    ASSERT_ONLY(&s, C34, OTHER);
}

static void c34_without_a_promise(void **state)
{
    struct assay_profile generic;
    (void)state;
    assay_profile_generic(&generic);
    stream_close(&s);
    stream_open(&s, STREAM_HAS_ALL, &generic);
    stream_malloc(&s, 1, 1 << 20, BASE);
    PUT(&s, STATISTICS, .value = 100); /* it may lie in a mapping of its own */
    PUT(&s, STATISTICS, .value = UINT64_C(1) << 40);
    ASSERT_NONE(&s);
    PUT(&s, STATISTICS, .arg = 1, .value = 100);
    ASSERT_ONLY(&s, C34, OTHER);
}

static void c34_heap_walk(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 100, BASE);
    PUT(&s, HEAP_WALK, .value = 0);
    PUT(&s, HEAP_WALK, .error = ENOTSUP, .value = 3);
    ASSERT_NONE(&s);
    PUT(&s, HEAP_WALK, .value = 1, .wrong_at = 1);
    ASSERT_ONLY(&s, C34, OTHER);
}

static void what_is_not_offered_is_not_judged(void **state)
{
    (void)state;
    stream_close(&s);
    memset(&s, 0, sizeof s);
    const uint64_t sized = UINT64_C(1) << ASSAY_OP_FREE_SIZED | UINT64_C(1)
                                                                    << ASSAY_OP_FREE_ALIGNED_SIZED;
    s.config = (struct assay_judge_config){
        .has = STREAM_HAS_ALL,
        .max_objects = 10,
        .missing_apis = sized | UINT64_C(1) << ASSAY_OP_REZALLOC |
                        UINT64_C(1) << ASSAY_OP_GOOD_SIZE | UINT64_C(1) << ASSAY_OP_STATISTICS};
    assert_int_equal(assay_arena_create(&s.arena, assay_judge_bytes(&s.config), NULL), 0);
    s.judge = assay_judge_create(&s.arena, &s.config);
    assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C17));
    assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C24));
    assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C25));
    assert_true(assay_judge_judges(s.judge, ASSAY_PROPERTY_C34)); /* the heap walk is there */
}

static void c36_is_judged_where_promised(void **state)
{
    struct assay_profile profile;
    (void)state;
    assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C36));
    assay_profile_generic(&profile);
    profile.deterministic = ASSAY_ANSWER_YES;
    stream_close(&s);
    stream_open(&s, STREAM_HAS_ALL | ASSAY_HAS_RESOURCES, &profile);
    assert_true(assay_judge_judges(s.judge, ASSAY_PROPERTY_C36));
    stream_malloc(&s, 1, 100, BASE); /* one run does not tell */
    ASSERT_NONE(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(c17_what_rezalloc_added),
        TEST(rezalloc_is_in_no_standard),
        TEST(c24_a_slot_in_the_wrong_class),
        TEST(c24_needs_proof),
        TEST(c24_overlap),
        TEST(c24_is_no_overlap_of_equals),
        TEST(c24_a_size_that_is_not_taken),
        TEST(c25_good_size),
        TEST(c25_usable_sizes_that_are_requested_ones),
        TEST(c25_class_edges),
        TEST(c25_class_edges_by_profile),
        TEST(c34_bytes_in_use),
        TEST(c34_without_a_promise),
        TEST(c34_heap_walk),
        TEST(c36_is_judged_where_promised),
        TEST(what_is_not_offered_is_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

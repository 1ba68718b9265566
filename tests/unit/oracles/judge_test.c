/* The judge: every property's violation is flagged by exactly that property, and what is right
 * beside it by none. */
#include <signal.h>

#include "oracles/oracle.h"
#include "tests/unit/oracles/stream.h"

enum { BASE = 0x10000000, PAGE = 4096 };
#define HUGE_SIZE (UINT64_MAX - 5)

static struct stream s;

static int setup(void **state)
{
    (void)state;
    stream_open(&s, STREAM_HAS_ALL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stream_close(&s);
    return 0;
}

/* Opens the stream anew with one answer of the profile changed. */
#define WITH_PROFILE(field, value)                                                                 \
    do {                                                                                           \
        struct assay_profile profile_;                                                             \
        assay_profile_generic(&profile_);                                                          \
        profile_.field = (value);                                                                  \
        stream_close(&s);                                                                          \
        stream_open(&s, STREAM_HAS_ALL, &profile_);                                                \
    } while (0)

static void c01_null_within_budget(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 100, BASE);
    PUT(&s, MALLOC, .born = 2, .size = UINT64_C(100) << 20, .error = ENOMEM); /* over 64 MiB */
    PUT(&s, MEMALIGN, .born = 3, .size = 8, .arg = UINT64_C(1) << 30, .error = EINVAL);
    PUT(&s, MEMALIGN, .born = 4, .size = 8, .arg = 24, .error = EINVAL);
    PUT(&s, ALIGNED_ALLOC, .born = 5, .size = 20, .arg = 16, .error = EINVAL);
    PUT(&s, MALLOC, .born = 6, .size = 0, .error = 0);
    ASSERT_NONE(&s);
    PUT(&s, MALLOC, .born = 7, .size = 100, .error = ENOMEM);
    ASSERT_ONLY(&s, C01, NULL);
    PUT(&s, CALLOC, .born = 7, .size = 4, .arg = 25, .error = ENOMEM);
    ASSERT_ONLY(&s, C01, NULL);
    PUT(&s, POSIX_MEMALIGN, .born = 7, .size = 40, .arg = 64, .error = 0);
    ASSERT_ONLY(&s, C01, NULL);
}

/* aligned_alloc and memalign support what alignments they like, if they say so. */
static void c01_unsupported_alignments(void **state)
{
    (void)state;
    PUT(&s, ALIGNED_ALLOC, .born = 1, .size = 128, .arg = 64, .error = EINVAL);
    PUT(&s, MEMALIGN, .born = 1, .size = 128, .arg = 4096, .error = EINVAL);
    ASSERT_NONE(&s);
    PUT(&s, ALIGNED_ALLOC, .born = 1, .size = 128, .arg = 64, .error = ENOMEM);
    ASSERT_ONLY(&s, C01, NULL);
    PUT(&s, ALIGNED_ALLOC, .born = 1, .size = 128, .arg = 16, .error = EINVAL);
    ASSERT_ONLY(&s, C01, NULL);
    WITH_PROFILE(max_alignment, 4096);
    PUT(&s, ALIGNED_ALLOC, .born = 1, .size = 128, .arg = 64, .error = EINVAL);
    ASSERT_ONLY(&s, C01, NULL);
}

static void c01_errno(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = UINT64_C(100) << 20, .error = 0);
    ASSERT_ONLY(&s, C01, WRONG_ERRNO);
    PUT(&s, VALLOC, .born = 1, .size = UINT64_C(100) << 20, .error = 0); /* profile: no promise */
    ASSERT_NONE(&s);
}

static void c01_budget_counts_live_bytes(void **state)
{
    (void)state;
    WITH_PROFILE(budget_live_bytes, 1000);
    stream_malloc(&s, 1, 900, BASE);
    PUT(&s, MALLOC, .born = 2, .size = 200, .error = ENOMEM);
    ASSERT_NONE(&s);
    stream_free(&s, 1);
    PUT(&s, MALLOC, .born = 3, .size = 200, .error = ENOMEM);
    ASSERT_ONLY(&s, C01, NULL);
}

static void c01_no_more_mappings(void **state)
{
    enum { LIVE = 2048 };
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = 20, .error = ENOMEM, .checked = ASSAY_FACT_FOREIGN);
    ASSERT_ONLY(&s, C01, NULL); /* of so few objects */
    for (uint32_t i = 0; i < LIVE; i++)
        stream_malloc(&s, 2 + i, 20, BASE + UINT64_C(4096) * i);
    PUT(&s, MALLOC, .born = LIVE + 2, .size = 20, .error = ENOMEM, .checked = ASSAY_FACT_FOREIGN);
    ASSERT_NONE(&s);
    PUT(&s, MALLOC, .born = LIVE + 3, .size = 20, .error = ENOMEM);
    ASSERT_ONLY(&s, C01, NULL);
}

static void c02_default_alignment(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 8, BASE + 8);
    stream_malloc(&s, 2, 1, BASE + 33);
    stream_malloc(&s, 3, 0, BASE + 101);
    PUT(&s, CALLOC, .born = 4, .size = 3, .arg = 5, .address = BASE + 1008);
    ASSERT_NONE(&s);
    stream_malloc(&s, 5, 100, BASE + 2008);
    ASSERT_ONLY(&s, C02, OTHER);
    stream_malloc(&s, 6, 9, BASE + 3004);
    ASSERT_ONLY(&s, C02, OTHER);
}

static void c02_profile_demands_more(void **state)
{
    (void)state;
    WITH_PROFILE(min_alignment, 16);
    stream_malloc(&s, 1, 8, BASE + 8);
    ASSERT_ONLY(&s, C02, OTHER);
}

static void c03_requested_alignment(void **state)
{
    (void)state;
    PUT(&s, ALIGNED_ALLOC, .born = 1, .size = 64, .arg = 64, .address = BASE + 64);
    PUT(&s, VALLOC, .born = 2, .size = 10, .address = BASE + PAGE);
    PUT(&s, ALIGNED_ALLOC, .born = 3, .size = 10, .arg = 3, .address = BASE + 8192 + 8);
    ASSERT_NONE(&s);
    PUT(&s, MEMALIGN, .born = 4, .size = 10, .arg = 64, .address = BASE + 16384 + 32);
    ASSERT_ONLY(&s, C03, OTHER);
    PUT(&s, VALLOC, .born = 5, .size = 10, .address = BASE + 32768 + 64);
    ASSERT_ONLY(&s, C03, OTHER);
    PUT(&s, VALLOC, .born = 8, .size = 0, .address = BASE + 49152 + 64);
    ASSERT_NONE(&s);
    PUT(&s, POSIX_MEMALIGN, .born = 9, .size = 0, .arg = 64, .address = BASE + 57344 + 32);
    ASSERT_ONLY(&s, C03, OTHER);
    PUT(&s, PVALLOC, .born = 6, .size = 10, .address = BASE + 65536, .flags = ASSAY_FLAG_USABLE,
        .usable_extra = 4086);
    ASSERT_NONE(&s);
    PUT(&s, PVALLOC, .born = 7, .size = 10, .address = BASE + 131072, .flags = ASSAY_FLAG_USABLE,
        .usable_extra = 22);
    ASSERT_ONLY(&s, C03, OTHER);
}

static void c03_what_had_to_be_refused_is_c22(void **state)
{
    (void)state;
    PUT(&s, PVALLOC, .born = 1, .size = UINT64_MAX, .address = BASE + 16);
    ASSERT_ONLY(&s, C22, NOT_NULL);
}

static void c04_usable(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 100, BASE);
    PUT(&s, USABLE_SIZE, .object = 1, .value = 108);
    PUT(&s, USABLE_SIZE, .place = ASSAY_PLACE_NULL, .value = 0);
    ASSERT_NONE(&s);
    PUT(&s, USABLE_SIZE, .object = 1, .value = 120);
    ASSERT_ONLY(&s, C04, OTHER);
    PUT(&s, USABLE_SIZE, .place = ASSAY_PLACE_NULL, .value = 8);
    ASSERT_ONLY(&s, C04, OTHER);
    PUT(&s, MALLOC, .born = 2, .size = 50, .address = BASE + 1024, .flags = ASSAY_FLAG_USABLE,
        .usable_extra = -1);
    ASSERT_ONLY(&s, C04, OTHER);
}

static void c04_usable_learnt_by_query(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = 50, .address = BASE);
    PUT(&s, USABLE_SIZE, .object = 1, .value = 56);
    ASSERT_NONE(&s);
    PUT(&s, USABLE_SIZE, .object = 1, .value = 64);
    ASSERT_ONLY(&s, C04, OTHER);
    PUT(&s, USABLE_SIZE, .object = 1, .value = 49);
    ASSERT_ONLY(&s, C04, OTHER);
}

static void c04_usable_is_requested(void **state)
{
    (void)state;
    WITH_PROFILE(usable_is_requested, ASSAY_ANSWER_YES);
    stream_malloc(&s, 1, 100, BASE);
    ASSERT_ONLY(&s, C04, OTHER);
}

static void c05_overlap(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    stream_malloc(&s, 2, 40, BASE + 48);
    ASSERT_NONE(&s);
    stream_malloc(&s, 3, 40, BASE + 32);
    ASSERT_ONLY(&s, C05, OVERLAP_PARTIAL);
    assert_true(s.reports[0].other == 1 || s.reports[0].other == 2);
    stream_free(&s, 2);
    stream_malloc(&s, 4, 8, BASE + 80);
    ASSERT_NONE(&s);
    PUT(&s, REALLOC, .object = 4, .born = 5, .size = 8, .address = BASE);
    ASSERT_ONLY(&s, C05, OVERLAP_SAME_START);
}

static void c05_growing_in_place_is_none(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 80, .address = BASE);
    PUT(&s, REALLOC, .object = 2, .born = 3, .size = 16, .address = BASE);
    stream_malloc(&s, 4, 40, BASE + 48);
    ASSERT_NONE(&s);
}

static void c05_between_the_halves_of_a_resize(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 80, .flags = ASSAY_FLAG_BEGIN);
    stream_malloc(&s, 3, 40, BASE); /* another thread got the old place */
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 80, .address = BASE + 128,
        .flags = ASSAY_FLAG_END);
    ASSERT_NONE(&s);
    stream_malloc(&s, 4, 40, BASE + 160);
    ASSERT_ONLY(&s, C05, OVERLAP_PARTIAL);
    assert_int_equal(s.reports[0].other, 2);
}

static void c06_usable_overlap(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE); /* usable to 48 */
    ASSERT_NONE(&s);
    stream_malloc(&s, 2, 2, BASE + 44);
    ASSERT_ONLY(&s, C06, OVERLAP_PARTIAL);
    assert_int_equal(s.reports[0].size_band, 6); /* of the one that reaches too far */
    stream_malloc(&s, 3, 8, BASE - 16);          /* usable to BASE */
    ASSERT_NONE(&s);
}

static void c07_foreign(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = 16, .address = BASE, .checked = ASSAY_FACT_FOREIGN);
    ASSERT_NONE(&s);
    PUT(&s, MALLOC, .born = 2, .size = 16, .address = BASE + 16, .checked = ASSAY_FACT_FOREIGN,
        .failed = ASSAY_FACT_FOREIGN);
    PUT(&s, EVIDENCE, .object = 2, .failed = ASSAY_FACT_FOREIGN);
    ASSERT_ONLY(&s, C07, OTHER);
}

static void c08_content(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    stream_malloc(&s, 2, 64, BASE + 128);
    stream_free(&s, 2);
    ASSERT_NONE(&s);
    PUT(&s, FREE, .object = 1, .checked = ASSAY_FACT_CONTENT, .failed = ASSAY_FACT_CONTENT);
    PUT(&s, EVIDENCE, .object = 1, .arg = 16, .size = 0x1122, .value = 0,
        .failed = ASSAY_FACT_CONTENT);
    ASSERT_ONLY(&s, C08, CONTENT_ZEROED);
    assert_int_equal(s.reports[0].offset, 16);
    assert_int_equal(s.reports[0].object, 1);
}

static void c08_siblings(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    stream_malloc(&s, 2, 64, BASE + 128);
    stream_malloc(&s, 3, 2000, BASE + 4096);
    PUT(&s, CHECK, .checked = ASSAY_FACT_SIBLINGS, .failed = ASSAY_FACT_SIBLINGS);
    PUT(&s, EVIDENCE, .object = 1, .value = 5, .born = 2, .failed = ASSAY_FACT_SIBLINGS);
    assert_int_equal(s.count, 1);
    PUT(&s, EVIDENCE, .object = 3, .value = 5, .born = 3, .failed = ASSAY_FACT_SIBLINGS);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.reports[0].property, ASSAY_PROPERTY_C08);
    assert_int_equal(s.reports[0].relation, ASSAY_RELATION_CONTENT_FOREIGN);
    assert_int_equal(s.reports[0].other, 2);
    assert_int_equal(s.reports[1].property, ASSAY_PROPERTY_C08);
    assert_int_equal(s.reports[1].relation, ASSAY_RELATION_CONTENT_STALE);
    assert_int_equal(s.reports[1].size_band, 11);
    assert_int_equal(s.reports[1].op_index, 3);
}

static void c08_without_evidence_is_still_told(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    PUT(&s, FREE, .object = 1, .checked = ASSAY_FACT_CONTENT, .failed = ASSAY_FACT_CONTENT);
    assert_int_equal(s.count, 0);
    stream_malloc(&s, 2, 64, BASE);
    ASSERT_ONLY(&s, C08, CONTENT_UNKNOWN);
}

static void c09_usable_bytes(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    PUT(&s, FREE, .object = 1, .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_USABLE);
    ASSERT_NONE(&s);
    stream_malloc(&s, 2, 64, BASE);
    PUT(&s, FREE, .object = 2, .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_USABLE,
        .failed = ASSAY_FACT_USABLE);
    PUT(&s, EVIDENCE, .object = 2, .arg = 66, .value = 9, .failed = ASSAY_FACT_USABLE);
    ASSERT_ONLY(&s, C09, CONTENT_UNKNOWN);
}

/* A neighbour's slack pattern in this object: the usable size lied, the object's keeper did not. */
static void c09_blamed_for_damage_by_slack(void **state)
{
    (void)state;
    WITH_PROFILE(usable_writable, ASSAY_ANSWER_YES);
    PUT(&s, MALLOC, .born = 1, .size = 64, .address = BASE, .flags = ASSAY_FLAG_USABLE,
        .usable_extra = 64);
    PUT(&s, FREE, .object = 1);
    PUT(&s, MALLOC, .born = 2, .size = 32, .address = BASE + 80);
    PUT(&s, MALLOC, .born = 3, .size = 64, .address = BASE, .flags = ASSAY_FLAG_USABLE,
        .usable_extra = 64);
    ASSERT_ONLY(&s, C06, OVERLAP_PARTIAL);
    PUT(&s, FREE, .object = 2, .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_USABLE,
        .failed = ASSAY_FACT_CONTENT);
    PUT(&s, EVIDENCE, .object = 2, .arg = 0, .value = 9, .born = 3, .failed = ASSAY_FACT_CONTENT);
    ASSERT_ONLY(&s, C09, CONTENT_FOREIGN);
    assert_int_equal(s.reports[0].size_band, 7); /* of the one that wrote */
}

static void c10_zero(void **state)
{
    (void)state;
    PUT(&s, CALLOC, .born = 1, .size = 8, .arg = 8, .address = BASE, .checked = ASSAY_FACT_ZERO);
    ASSERT_NONE(&s);
    PUT(&s, CALLOC, .born = 2, .size = 8, .arg = 8, .address = BASE + 64,
        .checked = ASSAY_FACT_ZERO, .failed = ASSAY_FACT_ZERO);
    PUT(&s, EVIDENCE, .object = 2, .arg = 3, .value = 0xaa, .born = 1, .failed = ASSAY_FACT_ZERO);
    ASSERT_ONLY(&s, C10, CONTENT_FOREIGN);
}

static void c11_product(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    PUT(&s, CALLOC, .born = 2, .size = UINT64_C(1) << 33, .arg = UINT64_C(1) << 33,
        .error = ENOMEM);
    PUT(&s, REALLOCARRAY, .object = 1, .born = 2, .size = UINT64_C(1) << 33,
        .arg = UINT64_C(1) << 33, .error = ENOMEM, .checked = ASSAY_FACT_PREFIX);
    stream_free(&s, 1);
    ASSERT_NONE(&s);
    PUT(&s, CALLOC, .born = 2, .size = UINT64_C(1) << 33, .arg = (UINT64_C(1) << 31) + 1,
        .address = BASE + 64, .checked = ASSAY_FACT_FOREIGN);
    ASSERT_ONLY(&s, C11, NOT_NULL);
    PUT(&s, CALLOC, .born = 3, .size = UINT64_C(1) << 33, .arg = UINT64_C(1) << 33, .error = 0);
    ASSERT_ONLY(&s, C11, WRONG_ERRNO);
    stream_malloc(&s, 4, 64, 2 * BASE);
    ASSERT_NONE(&s);
    PUT(&s, REALLOCARRAY, .object = 4, .born = 5, .size = UINT64_C(1) << 33,
        .arg = UINT64_C(1) << 33, .error = ENOMEM, .checked = ASSAY_FACT_PREFIX,
        .failed = ASSAY_FACT_PREFIX);
    PUT(&s, EVIDENCE, .object = 4, .value = 1, .failed = ASSAY_FACT_PREFIX);
    ASSERT_ONLY(&s, C11, CONTENT_UNKNOWN);
}

static void c12_prefix(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 128, .address = BASE + 64,
        .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_PREFIX);
    ASSERT_NONE(&s);
    PUT(&s, REALLOC, .object = 2, .born = 3, .size = 256, .address = BASE + 1024,
        .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_PREFIX, .failed = ASSAY_FACT_PREFIX);
    PUT(&s, EVIDENCE, .object = 3, .arg = 100, .value = 0, .failed = ASSAY_FACT_PREFIX);
    ASSERT_ONLY(&s, C12, CONTENT_ZEROED);
}

static void c13_survivor(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = HUGE_SIZE, .error = ENOMEM,
        .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_PREFIX);
    PUT(&s, USABLE_SIZE, .object = 1, .value = 72);
    ASSERT_NONE(&s);
    PUT(&s, USABLE_SIZE, .object = 1, .value = 80);
    ASSERT_ONLY(&s, C13, OTHER);
    stream_malloc(&s, 3, 64, BASE); /* the refusal had freed it */
    ASSERT_ONLY(&s, C13, OVERLAP_SAME_START);
    stream_malloc(&s, 4, 64, 2 * BASE);
    PUT(&s, REALLOC, .object = 4, .born = 5, .size = HUGE_SIZE, .error = ENOMEM,
        .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_PREFIX, .failed = ASSAY_FACT_PREFIX);
    PUT(&s, EVIDENCE, .object = 4, .value = 1, .failed = ASSAY_FACT_PREFIX);
    ASSERT_ONLY(&s, C13, CONTENT_UNKNOWN);
}

static void c13_slack_lost_to_the_refusal(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 0, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = HUGE_SIZE, .error = ENOMEM,
        .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_PREFIX | ASSAY_FACT_USABLE,
        .failed = ASSAY_FACT_USABLE);
    PUT(&s, EVIDENCE, .object = 1, .value = 5, .failed = ASSAY_FACT_USABLE);
    ASSERT_ONLY(&s, C13, CONTENT_UNKNOWN);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = HUGE_SIZE, .error = ENOMEM,
        .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_USABLE, .failed = ASSAY_FACT_USABLE);
    PUT(&s, EVIDENCE, .object = 1, .value = 5, .failed = ASSAY_FACT_USABLE);
    ASSERT_ONLY(&s, C09, CONTENT_UNKNOWN); /* it was damaged before the call */
}

static void c13_survivor_cannot_be_freed(void **state)
{
    struct assay_event op = {.kind = ASSAY_OP_FREE, .object = 1};
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    stream_malloc(&s, 3, 64, BASE + 256);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = HUGE_SIZE, .error = ENOMEM);
    assay_judge_before(s.judge, &op);
    assay_judge_crash(s.judge, SIGABRT);
    ASSERT_ONLY(&s, C13, ABORT);
    op.object = 3; /* not that one's affair */
    assay_judge_before(s.judge, &op);
    assay_judge_crash(s.judge, SIGABRT);
    ASSERT_ONLY(&s, C26, ABORT);
}

static void c13_in_two_halves(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = HUGE_SIZE, .flags = ASSAY_FLAG_BEGIN);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = HUGE_SIZE, .flags = ASSAY_FLAG_END,
        .error = ENOMEM);
    ASSERT_NONE(&s);
    stream_malloc(&s, 3, 64, BASE + 32);
    ASSERT_ONLY(&s, C13, OVERLAP_PARTIAL);
}

static void c14_realloc_of_null(void **state)
{
    (void)state;
    PUT(&s, REALLOC, .place = ASSAY_PLACE_NULL, .born = 1, .size = 40, .address = BASE);
    PUT(&s, REALLOC, .place = ASSAY_PLACE_NULL, .born = 2, .size = 0);
    PUT(&s, REALLOC, .place = ASSAY_PLACE_NULL, .born = 2, .size = UINT64_C(1) << 40,
        .error = ENOMEM);
    stream_free(&s, 1);
    ASSERT_NONE(&s);
    PUT(&s, REALLOC, .place = ASSAY_PLACE_NULL, .born = 3, .size = 40, .error = EINVAL);
    ASSERT_ONLY(&s, C14, NULL);
    PUT(&s, REALLOC, .place = ASSAY_PLACE_NULL, .born = 3, .size = 40, .address = BASE + 8);
    ASSERT_ONLY(&s, C14, OTHER);
    PUT(&s, REALLOC, .place = ASSAY_PLACE_NULL, .born = 4, .size = 40, .address = BASE + 16);
    ASSERT_ONLY(&s, C05, OVERLAP_PARTIAL);
}

static void c15_realloc_to_nothing(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 0);
    stream_malloc(&s, 3, 40, BASE);
    PUT(&s, REALLOC, .object = 3, .born = 4, .size = 0, .address = BASE + 64);
    stream_free(&s, 4);
    ASSERT_NONE(&s);
    WITH_PROFILE(realloc_zero, ASSAY_ZERO_RESIZE_FREES);
    stream_malloc(&s, 1, 40, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 0);
    stream_malloc(&s, 3, 40, BASE);
    ASSERT_NONE(&s);
    PUT(&s, REALLOC, .object = 3, .born = 4, .size = 0, .address = BASE);
    ASSERT_ONLY(&s, C15, NOT_NULL);
    WITH_PROFILE(realloc_zero, ASSAY_ZERO_RESIZE_UNIQUE);
    stream_malloc(&s, 1, 40, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 0);
    ASSERT_ONLY(&s, C15, NULL);
}

/* NULL with an error is a refusal: the object lives on. */
static void c15_refused(void **state)
{
    (void)state;
    WITH_PROFILE(realloc_zero, ASSAY_ZERO_RESIZE_UNIQUE);
    stream_malloc(&s, 1, 40, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 0, .error = ENOMEM);
    stream_free(&s, 1);
    ASSERT_NONE(&s);
}

static void c16_aligned_object(void **state)
{
    (void)state;
    PUT(&s, MEMALIGN, .born = 1, .size = 64, .arg = 256, .address = BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 128, .address = BASE + 0x110,
        .checked = ASSAY_FACT_PREFIX);
    ASSERT_NONE(&s);
    PUT(&s, MEMALIGN, .born = 3, .size = 64, .arg = 256, .address = BASE);
    PUT(&s, REALLOC, .object = 3, .born = 4, .size = 128, .address = BASE + 0x200,
        .checked = ASSAY_FACT_PREFIX, .failed = ASSAY_FACT_PREFIX);
    PUT(&s, EVIDENCE, .object = 4, .value = 7, .failed = ASSAY_FACT_PREFIX);
    ASSERT_ONLY(&s, C16, CONTENT_UNKNOWN);
}

static void c16_alignment_kept(void **state)
{
    (void)state;
    WITH_PROFILE(realloc_keeps_alignment, ASSAY_ANSWER_YES);
    PUT(&s, MEMALIGN, .born = 1, .size = 64, .arg = 256, .address = BASE);
    PUT(&s, REALLOC, .object = 1, .born = 2, .size = 128, .address = BASE + 0x100);
    ASSERT_NONE(&s);
    PUT(&s, REALLOC, .object = 2, .born = 3, .size = 256, .address = BASE + 0x210);
    ASSERT_ONLY(&s, C16, OTHER);
}

static void c18_size_zero(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = 0);
    PUT(&s, MALLOC, .born = 1, .size = 0, .address = BASE);
    PUT(&s, POSIX_MEMALIGN, .born = 2, .size = 0, .arg = 16, .address = BASE + 16);
    stream_free(&s, 1);
    PUT(&s, CALLOC, .born = 3, .size = 0, .arg = 7, .address = BASE);
    ASSERT_NONE(&s);
    PUT(&s, MALLOC, .born = 4, .size = 0, .address = BASE); /* a constant, as if unique */
    ASSERT_ONLY(&s, C18, OVERLAP_SAME_START);
    WITH_PROFILE(malloc_zero_null, ASSAY_ANSWER_YES);
    PUT(&s, MALLOC, .born = 1, .size = 0, .address = BASE);
    ASSERT_ONLY(&s, C18, NOT_NULL);
    WITH_PROFILE(malloc_zero_null, ASSAY_ANSWER_NO);
    PUT(&s, CALLOC, .born = 1, .size = 0, .arg = 7);
    ASSERT_ONLY(&s, C18, NULL);
}

static void c19_errno_kept(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    PUT(&s, FREE, .place = ASSAY_PLACE_NULL);
    PUT(&s, FREE_SIZED, .object = 1, .size = 40);
    ASSERT_NONE(&s);
    PUT(&s, FREE, .place = ASSAY_PLACE_NULL, .error = EINVAL);
    ASSERT_ONLY(&s, C19, WRONG_ERRNO);
    stream_malloc(&s, 2, 40, BASE);
    PUT(&s, FREE, .object = 2, .error = ENOMEM);
    ASSERT_ONLY(&s, C19, WRONG_ERRNO);
}

static void c20_posix_memalign(void **state)
{
    (void)state;
    PUT(&s, POSIX_MEMALIGN, .born = 1, .size = 40, .arg = 24, .error = EINVAL,
        .checked = ASSAY_FACT_OUT);
    PUT(&s, POSIX_MEMALIGN, .born = 1, .size = 40, .arg = 4, .error = EINVAL);
    PUT(&s, POSIX_MEMALIGN, .born = 1, .size = HUGE_SIZE, .arg = 24, .error = ENOMEM);
    PUT(&s, POSIX_MEMALIGN, .born = 1, .size = HUGE_SIZE, .arg = 64, .error = ENOMEM);
    ASSERT_NONE(&s);
    PUT(&s, POSIX_MEMALIGN, .born = 1, .size = 40, .arg = 0, .error = ENOMEM);
    ASSERT_ONLY(&s, C20, WRONG_ERRNO);
    PUT(&s, POSIX_MEMALIGN, .born = 1, .size = 40, .arg = 24, .address = BASE);
    ASSERT_ONLY(&s, C20, NOT_NULL);
    PUT(&s, POSIX_MEMALIGN, .born = 2, .size = 40, .arg = 3, .error = EINVAL,
        .checked = ASSAY_FACT_OUT, .failed = ASSAY_FACT_OUT);
    ASSERT_ONLY(&s, C20, OTHER);
    PUT(&s, POSIX_MEMALIGN, .born = 3, .size = 40, .arg = 3, .error = EINVAL,
        .usable_extra = EINVAL);
    ASSERT_NONE(&s); /* no promise */
    WITH_PROFILE(posix_memalign_keeps_errno, ASSAY_ANSWER_YES);
    PUT(&s, POSIX_MEMALIGN, .born = 1, .size = 40, .arg = 3, .error = EINVAL);
    ASSERT_NONE(&s);
    PUT(&s, POSIX_MEMALIGN, .born = 1, .size = 40, .arg = 3, .error = EINVAL,
        .usable_extra = EINVAL);
    ASSERT_ONLY(&s, C20, WRONG_ERRNO);
}

static void c21_aligned_alloc(void **state)
{
    (void)state;
    PUT(&s, ALIGNED_ALLOC, .born = 1, .size = 10, .arg = 3, .error = EINVAL);
    PUT(&s, ALIGNED_ALLOC, .born = 1, .size = 10, .arg = 3, .address = BASE + 8);
    ASSERT_NONE(&s);
    WITH_PROFILE(aligned_alloc_refuses_bad_alignment, ASSAY_ANSWER_YES);
    PUT(&s, ALIGNED_ALLOC, .born = 1, .size = 10, .arg = 24, .address = BASE);
    ASSERT_ONLY(&s, C21, NOT_NULL);
    WITH_PROFILE(aligned_alloc_refuses_bad_alignment, ASSAY_ANSWER_NO);
    PUT(&s, ALIGNED_ALLOC, .born = 1, .size = 10, .arg = 24, .address = BASE + 32);
    ASSERT_NONE(&s);
    PUT(&s, ALIGNED_ALLOC, .born = 2, .size = 10, .arg = 24, .address = BASE + 64 + 16);
    ASSERT_ONLY(&s, C21, OTHER);
    PUT(&s, ALIGNED_ALLOC, .born = 3, .size = 10, .arg = 24, .error = EINVAL);
    ASSERT_ONLY(&s, C21, NULL);
}

static void c22_oversize(void **state)
{
    (void)state;
    PUT(&s, MALLOC, .born = 1, .size = HUGE_SIZE, .error = ENOMEM);
    PUT(&s, PVALLOC, .born = 1, .size = HUGE_SIZE, .error = 0); /* errno: profile */
    ASSERT_NONE(&s);
    PUT(&s, PVALLOC, .born = 1, .size = HUGE_SIZE, .address = BASE);
    ASSERT_ONLY(&s, C22, NOT_NULL);
    PUT(&s, MALLOC, .born = 2, .size = HUGE_SIZE, .error = 0);
    ASSERT_ONLY(&s, C22, WRONG_ERRNO);
    PUT(&s, MEMALIGN, .born = 2, .size = 1000, .arg = UINT64_MAX - 100, .address = 4 * BASE);
    ASSERT_ONLY(&s, C22, NOT_NULL);
    WITH_PROFILE(large_errno_everywhere, ASSAY_ANSWER_YES);
    PUT(&s, VALLOC, .born = 1, .size = HUGE_SIZE, .error = 0);
    ASSERT_ONLY(&s, C22, WRONG_ERRNO);
}

static void c23_refusal_damages(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    PUT(&s, MALLOC, .born = 2, .size = HUGE_SIZE, .error = ENOMEM);
    PUT(&s, CHECK, .object = 1, .checked = ASSAY_FACT_CONTENT);
    ASSERT_NONE(&s);
    assert_true(assay_judge_evaluations(s.judge, ASSAY_PROPERTY_C23) > 0);
    PUT(&s, MALLOC, .born = 2, .size = HUGE_SIZE, .error = ENOMEM);
    PUT(&s, FREE, .object = 1, .checked = ASSAY_FACT_CONTENT, .failed = ASSAY_FACT_CONTENT);
    PUT(&s, EVIDENCE, .object = 1, .value = 1, .failed = ASSAY_FACT_CONTENT);
    ASSERT_ONLY(&s, C23, CONTENT_UNKNOWN);
}

static void c23_seen_by_the_sweep_of_the_refused_call(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    stream_malloc(&s, 2, 40, BASE + 64);
    PUT(&s, CHECK, .checked = ASSAY_FACT_SIBLINGS);
    PUT(&s, MALLOC, .born = 3, .size = HUGE_SIZE, .error = ENOMEM, .checked = ASSAY_FACT_SIBLINGS,
        .failed = ASSAY_FACT_SIBLINGS);
    PUT(&s, EVIDENCE, .object = 1, .value = 1, .failed = ASSAY_FACT_SIBLINGS);
    ASSERT_ONLY(&s, C23, CONTENT_UNKNOWN);
}

/* After a refusal, but another call came between, or nobody knows that the object was whole. */
static void c23_is_not_blamed_without_proof(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    stream_malloc(&s, 2, 40, BASE + 64);
    PUT(&s, MALLOC, .born = 3, .size = HUGE_SIZE, .error = ENOMEM);
    PUT(&s, FREE, .object = 2, .checked = ASSAY_FACT_CONTENT | ASSAY_FACT_SIBLINGS,
        .failed = ASSAY_FACT_SIBLINGS);
    PUT(&s, EVIDENCE, .object = 1, .value = 1, .failed = ASSAY_FACT_SIBLINGS);
    ASSERT_ONLY(&s, C08, CONTENT_UNKNOWN);
    stream_malloc(&s, 4, 40, BASE + 256);
    PUT(&s, MALLOC, .born = 5, .size = HUGE_SIZE, .error = ENOMEM);
    PUT(&s, FREE, .object = 1, .checked = ASSAY_FACT_CONTENT, .failed = ASSAY_FACT_CONTENT);
    PUT(&s, EVIDENCE, .object = 1, .value = 1, .failed = ASSAY_FACT_CONTENT);
    ASSERT_ONLY(&s, C08, CONTENT_UNKNOWN);
}

static void c26_crash_abort_hang(void **state)
{
    struct assay_event op = {.kind = ASSAY_OP_FREE, .object = 1};
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    ASSERT_NONE(&s);
    assay_judge_before(s.judge, &op);
    assay_judge_crash(s.judge, SIGSEGV);
    ASSERT_ONLY(&s, C26, CRASH);
    assert_int_equal(s.reports[0].kind, ASSAY_OP_FREE);
    assert_int_equal(s.reports[0].object, 1);
    assert_int_equal(s.reports[0].op_index, 1);
    assay_judge_before(s.judge, &op);
    assay_judge_crash(s.judge, SIGABRT);
    ASSERT_ONLY(&s, C26, ABORT);
    assay_judge_before(s.judge, &op);
    assay_judge_crash(s.judge, 0);
    ASSERT_ONLY(&s, C26, HANG);
    PUT(&s, MALLOC, .born = 2, .size = 10, .signal = SIGBUS);
    ASSERT_ONLY(&s, C26, CRASH);
    /* to clear 128 MiB takes its time; to find 4 KiB takes none, and 2^62 bytes nobody clears */
    const struct assay_event large = {
        .kind = ASSAY_OP_CALLOC, .born = 3, .size = 65536, .arg = 2048};
    const struct assay_event beyond = {
        .kind = ASSAY_OP_CALLOC, .born = 3, .size = UINT64_C(1) << 31, .arg = UINT64_C(1) << 31};
    const struct assay_event wrapped = {
        .kind = ASSAY_OP_CALLOC, .born = 3, .size = UINT64_C(1) << 40, .arg = UINT64_C(3) << 24};
    const struct assay_event small = {.kind = ASSAY_OP_CALLOC, .born = 3, .size = 64, .arg = 64};
    assay_judge_before(s.judge, &large);
    assay_judge_crash(s.judge, 0);
    ASSERT_NONE(&s);
    assay_judge_before(s.judge, &large);
    assay_judge_crash(s.judge, SIGSEGV);
    ASSERT_ONLY(&s, C26, CRASH);
    for (unsigned i = 0; i < 3; i++) {
        const struct assay_event *ops[] = {&small, &beyond, &wrapped};
        assay_judge_before(s.judge, ops[i]);
        assay_judge_crash(s.judge, 0);
        ASSERT_ONLY(&s, C26, HANG);
    }
}

static void c28_across_threads(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    stream_malloc(&s, 2, 64, BASE + 128);
    PUT(&s, REALLOC, .thread = 1, .object = 1, .born = 3, .size = 128, .address = BASE + 512,
        .checked = ASSAY_FACT_PREFIX);
    PUT(&s, FREE, .thread = 3, .object = 3);
    ASSERT_NONE(&s);
    assert_int_equal(assay_judge_evaluations(s.judge, ASSAY_PROPERTY_C28), 2);
    PUT(&s, REALLOC, .thread = 1, .object = 2, .born = 4, .size = 128, .address = BASE + 512,
        .checked = ASSAY_FACT_PREFIX, .failed = ASSAY_FACT_PREFIX);
    PUT(&s, EVIDENCE, .object = 4, .value = 0, .failed = ASSAY_FACT_PREFIX);
    ASSERT_ONLY(&s, C28, CONTENT_ZEROED);
    PUT(&s, REALLOC, .thread = 2, .object = 4, .born = 5, .size = 256, .error = ENOMEM);
    ASSERT_ONLY(&s, C28, NULL);
    PUT(&s, FREE, .thread = 2, .object = 4, .error = EPERM);
    ASSERT_ONLY(&s, C28, WRONG_ERRNO);
}

/* A call of the place that CONTEXT names, which ends the process. */
static void stop(struct assay_event op, int signal)
{
    s.op = op;
    assay_judge_before(s.judge, &s.op);
    assay_judge_crash(s.judge, signal);
}

static void c27_first_calls(void **state)
{
    const struct assay_event call = {.kind = ASSAY_OP_CALLOC, .born = 1, .size = 8, .arg = 2};
    (void)state;
    PUT(&s, CONTEXT, .arg = ASSAY_CONTEXT_FIRST);
    stop(call, SIGSEGV);
    ASSERT_ONLY(&s, C27, CRASH);
    assay_judge_reset(s.judge);
    PUT(&s, CONTEXT, .arg = ASSAY_CONTEXT_FIRST);
    PUT(&s, MALLOC, .born = 1, .size = 40, .error = ENOMEM);
    ASSERT_ONLY(&s, C27, NULL);
    PUT(&s, MALLOC, .born = 1, .size = 40, .error = ENOMEM); /* not the first any more */
    ASSERT_ONLY(&s, C01, NULL);
    PUT(&s, CONTEXT, .arg = ASSAY_CONTEXT_FIRST);
    stream_malloc(&s, 2, 40, BASE);
    stop(call, SIGSEGV);
    ASSERT_ONLY(&s, C26, CRASH);
    PUT(&s, CONTEXT, .arg = ASSAY_CONTEXT_FIRST, .thread = 1);
    stop(call, SIGSEGV); /* by another thread */
    ASSERT_ONLY(&s, C26, CRASH);
}

static void c27_registrations(void **state)
{
    (void)state;
    PUT(&s, CONTEXT, .arg = ASSAY_CONTEXT_CROWDED, .size = ASSAY_CROWD_KEYS);
    stream_malloc(&s, 1, 40, BASE); /* in no other place than before */
    stop((struct assay_event){.kind = ASSAY_OP_FREE, .object = 1}, SIGSEGV);
    ASSERT_ONLY(&s, C26, CRASH);
    stop((struct assay_event){.kind = ASSAY_OP_CONTEXT, .arg = ASSAY_CONTEXT_CROWDED, .size = 4},
         0);
    ASSERT_ONLY(&s, C27, HANG);
}

static void c28_stops(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    stop((struct assay_event){.kind = ASSAY_OP_FREE, .object = 1, .thread = 1}, SIGABRT);
    ASSERT_ONLY(&s, C28, ABORT);
}

static void c30_forks(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    PUT(&s, CHECK, .checked = ASSAY_FACT_SIBLINGS);
    PUT(&s, FORK, .arg = 1);
    PUT(&s, CHECK, .checked = ASSAY_FACT_SIBLINGS, .failed = ASSAY_FACT_SIBLINGS);
    PUT(&s, EVIDENCE, .object = 1, .value = 1, .failed = ASSAY_FACT_SIBLINGS);
    ASSERT_ONLY(&s, C30, CONTENT_UNKNOWN);
    PUT(&s, MALLOC, .born = 2, .size = 40, .address = BASE, .flags = ASSAY_FLAG_EXECUTED);
    ASSERT_ONLY(&s, C30, OVERLAP_SAME_START);
    PUT(&s, MALLOC, .born = 3, .size = 40, .address = BASE, .flags = ASSAY_FLAG_EXECUTED);
    ASSERT_ONLY(&s, C05, OVERLAP_SAME_START); /* by what was called since */
    PUT(&s, MALLOC, .born = 4, .size = 40, .error = ENOMEM);
    ASSERT_ONLY(&s, C30, NULL);
    stop((struct assay_event){.kind = ASSAY_OP_MALLOC, .born = 4, .size = 8}, 0);
    ASSERT_ONLY(&s, C30, HANG);
}

/* What the fork is told of is not what another thread dies of at that time. */
static void c26_beside_a_fork(void **state)
{
    const struct assay_event fork = {.kind = ASSAY_OP_FORK, .arg = 1};
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    stop(fork, SIGSEGV);
    ASSERT_ONLY(&s, C30, CRASH);
    assay_judge_beside(s.judge, 2);
    stop(fork, SIGSEGV);
    ASSERT_ONLY(&s, C26, CRASH);
    assert_int_equal(s.reports[0].kind, ASSAY_OP_CONTEXT);
    assert_int_equal(s.reports[0].event.thread, 2);
    stop(fork, SIGSEGV);
    ASSERT_ONLY(&s, C30, CRASH);
}

static void c30_needs_proof(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 40, BASE);
    PUT(&s, FORK, .arg = 1); /* nothing was looked at before */
    PUT(&s, CHECK, .checked = ASSAY_FACT_SIBLINGS, .failed = ASSAY_FACT_SIBLINGS);
    PUT(&s, EVIDENCE, .object = 1, .value = 1, .failed = ASSAY_FACT_SIBLINGS);
    ASSERT_ONLY(&s, C08, CONTENT_UNKNOWN);
}

static void c35_handlers(void **state)
{
    const struct assay_event call = {.kind = ASSAY_OP_MALLOC, .born = 3, .size = 8, .thread = 1};
    (void)state;
    PUT(&s, CONTEXT, .arg = ASSAY_CONTEXT_KEY, .thread = 1);
    PUT(&s, MALLOC, .born = 1, .size = 40, .error = ENOMEM, .thread = 1);
    ASSERT_ONLY(&s, C35, NULL);
    stop(call, SIGSEGV);
    ASSERT_ONLY(&s, C35, CRASH);
    PUT(&s, THREAD_EXIT, .thread = 1);
    stop(call, SIGSEGV);
    ASSERT_ONLY(&s, C26, CRASH);
    PUT(&s, CONTEXT, .arg = ASSAY_CONTEXT_PREPARE);
    stream_malloc(&s, 2, 40, BASE);
    PUT(&s, FORK, .arg = 1); /* ends it */
    PUT(&s, MALLOC, .born = 1, .size = 40, .error = ENOMEM);
    ASSERT_ONLY(&s, C30, NULL);
}

static void s01_double_free(void **state)
{
    (void)state;
    WITH_PROFILE(detects_double_free, ASSAY_ANSWER_YES);
    stream_malloc(&s, 1, 64, BASE);
    stream_free(&s, 1);
    PUT(&s, FREE, .object = 1, .flags = ASSAY_FLAG_MISUSE, .signal = SIGABRT);
    ASSERT_NONE(&s);
    assert_int_equal(assay_judge_evaluations(s.judge, ASSAY_PROPERTY_S01), 1);
    assay_judge_reset(s.judge);
    stream_malloc(&s, 1, 64, BASE);
    stream_free(&s, 1);
    PUT(&s, FREE, .object = 1, .flags = ASSAY_FLAG_MISUSE);
    ASSERT_ONLY(&s, S01, UNDETECTED);
    assay_judge_reset(s.judge);
    stream_malloc(&s, 1, 64, BASE);
    stream_free(&s, 1);
    stream_malloc(&s, 2, 64, BASE + 128); /* no longer at once */
    PUT(&s, FREE, .object = 1, .flags = ASSAY_FLAG_MISUSE);
    ASSERT_NONE(&s);
}

static void s01_seen_by_the_host(void **state)
{
    (void)state;
    struct assay_event again = {.kind = ASSAY_OP_FREE, .object = 1, .flags = ASSAY_FLAG_MISUSE};
    WITH_PROFILE(detects_double_free, ASSAY_ANSWER_YES);
    stream_malloc(&s, 1, 64, BASE);
    stream_free(&s, 1);
    assay_judge_before(s.judge, &again);
    assay_judge_crash(s.judge, SIGABRT);
    ASSERT_NONE(&s); /* neither S01 nor C26: it was noticed, and the program was not legal */
    assert_int_equal(assay_judge_evaluations(s.judge, ASSAY_PROPERTY_S01), 1);
    assay_judge_reset(s.judge);
    stream_malloc(&s, 1, 64, BASE);
    stream_free(&s, 1);
    assay_judge_before(s.judge, &again);
    assay_judge_crash(s.judge, 0);
    ASSERT_ONLY(&s, S01, HANG);
}

static void s01_needs_the_promise(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    stream_free(&s, 1);
    PUT(&s, FREE, .object = 1, .flags = ASSAY_FLAG_MISUSE);
    ASSERT_NONE(&s);
}

static void after_misuse_only_security_is_judged(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    stream_malloc(&s, 2, 64, BASE + 128);
    PUT(&s, MISUSE, .size = 2);
    PUT(&s, FREE, .object = 1, .arg = 8);
    uint64_t calls = assay_judge_calls(s.judge);
    stream_malloc(&s, 3, 64, BASE + 130);
    PUT(&s, FREE, .object = 2, .checked = ASSAY_FACT_CONTENT, .failed = ASSAY_FACT_CONTENT);
    PUT(&s, EVIDENCE, .object = 2, .value = 1, .failed = ASSAY_FACT_CONTENT);
    assay_judge_crash(s.judge, SIGSEGV);
    ASSERT_NONE(&s);
    assert_int_equal(assay_judge_calls(s.judge), calls);
    assay_judge_reset(s.judge);
    stream_malloc(&s, 1, 64, BASE);
    stream_malloc(&s, 2, 64, BASE + 60);
    assert_true(s.count > 0); /* legal again */
}

static void unmarked_misuse_ends_the_judging_too(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    stream_free(&s, 1);
    stream_free(&s, 1);
    stream_malloc(&s, 2, 64, BASE);
    stream_malloc(&s, 3, 64, BASE);
    ASSERT_NONE(&s);
}

static void left_out_events(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    PUT(&s, MALLOC, .born = 2, .size = 64, .address = BASE, .flags = ASSAY_FLAG_LIBRARY);
    PUT(&s, MALLOC, .born = 3, .size = 64, .address = BASE, .flags = ASSAY_FLAG_SKIPPED);
    PUT(&s, FREE, .object = 1, .flags = ASSAY_FLAG_SKIPPED);
    PUT(&s, MALLOC, .born = 4, .size = 64, .address = BASE + 3, .flags = ASSAY_FLAG_PREEXISTING);
    ASSERT_NONE(&s);
    assert_int_equal(assay_judge_calls(s.judge), 1);
    stream_malloc(&s, 5, 64, BASE + 64); /* 4 lives there */
    ASSERT_ONLY(&s, C05, OVERLAP_PARTIAL);
    assert_int_equal(s.reports[0].other, 4);
}

static void a_resize_granted_here_only_keeps_its_number(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    PUT(&s, REALLOC, .object = 1, .born = 0, .size = 128, .address = BASE + 1024);
    stream_malloc(&s, 2, 64, BASE);
    ASSERT_NONE(&s);
    stream_malloc(&s, 3, 64, BASE + 1024 + 64);
    ASSERT_ONLY(&s, C05, OVERLAP_PARTIAL);
    assert_int_equal(s.reports[0].other, 1);
    stream_free(&s, 1);
    ASSERT_NONE(&s);
}

static void needs_decide_what_is_judged(void **state)
{
    const enum assay_property judged[] = {ASSAY_PROPERTY_C02, ASSAY_PROPERTY_C03,
                                          ASSAY_PROPERTY_C05, ASSAY_PROPERTY_C18,
                                          ASSAY_PROPERTY_C22};
    (void)state;
    stream_close(&s);
    stream_open(&s, STREAM_HAS_RECORDED, NULL);
    for (size_t i = 0; i < sizeof judged / sizeof *judged; i++)
        assert_true(assay_judge_judges(s.judge, judged[i]));
    assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C01));
    assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C06));
    assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C08));
    assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C26));
    PUT(&s, MALLOC, .born = 1, .size = 40, .address = BASE);
    PUT(&s, MALLOC, .born = 2, .size = HUGE_SIZE); /* no errno in this stream */
    PUT(&s, MALLOC, .born = 2, .size = 40);        /* C01 is not judged */
    ASSERT_NONE(&s);
    PUT(&s, MALLOC, .born = 2, .size = 40, .address = BASE + 16);
    ASSERT_ONLY(&s, C05, OVERLAP_PARTIAL);
    assert_int_equal(assay_judge_evaluations(s.judge, ASSAY_PROPERTY_C01), 0);
}

static void missing_apis_are_not_judged(void **state)
{
    (void)state;
    stream_close(&s);
    memset(&s, 0, sizeof s);
    s.config = (struct assay_judge_config){.has = STREAM_HAS_ALL,
                                           .max_objects = 10,
                                           .missing_apis = UINT64_C(1) << ASSAY_OP_CALLOC |
                                                           UINT64_C(1) << ASSAY_OP_POSIX_MEMALIGN};
    assay_profile_generic(&s.config.profile);
    assert_int_equal(assay_arena_create(&s.arena, assay_judge_bytes(&s.config), NULL), 0);
    s.judge = assay_judge_create(&s.arena, &s.config);
    assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C10));
    assert_false(assay_judge_judges(s.judge, ASSAY_PROPERTY_C20));
    assert_true(assay_judge_judges(s.judge, ASSAY_PROPERTY_C11)); /* reallocarray is there */
    assert_true(assay_judge_judges(s.judge, ASSAY_PROPERTY_C01));
}

static void evaluations_are_exact(void **state)
{
    (void)state;
    stream_malloc(&s, 1, 64, BASE);
    stream_malloc(&s, 2, 0, BASE + 128);
    stream_free(&s, 1);
    stream_free(&s, 2);
    PUT(&s, MALLOC, .born = 3, .size = HUGE_SIZE, .error = ENOMEM);
    const struct {
        enum assay_property property;
        uint64_t count;
    } expected[] = {
        {ASSAY_PROPERTY_C01, 1}, {ASSAY_PROPERTY_C02, 1}, {ASSAY_PROPERTY_C03, 0},
        {ASSAY_PROPERTY_C04, 2}, {ASSAY_PROPERTY_C05, 2}, {ASSAY_PROPERTY_C06, 2},
        {ASSAY_PROPERTY_C07, 2}, {ASSAY_PROPERTY_C08, 2}, {ASSAY_PROPERTY_C18, 1},
        {ASSAY_PROPERTY_C19, 2}, {ASSAY_PROPERTY_C22, 1}, {ASSAY_PROPERTY_C26, 5},
        {ASSAY_PROPERTY_S01, 0},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(assay_judge_evaluations(s.judge, expected[i].property), expected[i].count);
    assert_int_equal(assay_judge_calls(s.judge), 5);
}

static void reset_forgets_objects_and_keeps_counts(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        for (uint32_t i = 1; i <= 20; i++)
            stream_malloc(&s, i, i % 5 == 0 ? 50000 : 40, BASE + i * 65536u);
        assay_judge_reset(s.judge);
    }
    ASSERT_NONE(&s);
    assert_int_equal(assay_judge_calls(s.judge), 40000);
    stream_malloc(&s, 1, 40, BASE);
    stream_malloc(&s, 2, 40, BASE + 32);
    ASSERT_ONLY(&s, C05, OVERLAP_PARTIAL);
    assert_int_equal(s.reports[0].op_index, 1);
}

static void hostile_events_do_no_harm(void **state)
{
    struct assay_event event;
    uint64_t seed = 1;
    (void)state;
    for (int i = 0; i < 200000; i++) {
        for (size_t j = 0; j < sizeof event / 8; j++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            uint64_t word = seed >> (seed >> 59);
            memcpy((char *)&event + 8 * j, &word, 8);
        }
        event.kind = (uint8_t)(event.kind % (ASSAY_OP_COUNT + 2));
        if (i % 3) {
            event.object %= STREAM_OBJECTS + 10;
            event.born %= STREAM_OBJECTS + 10;
            event.place %= 3;
        }
        assay_judge_before(s.judge, &event);
        assay_judge_after(s.judge, &event);
        if (i % 1000 == 0)
            assay_judge_reset(s.judge);
    }
    assay_judge_end(s.judge);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The judge clears a case field by field: a field that is forgotten there keeps what was before. */
static void every_field_of_a_case_is_cleared(void **state)
{
    struct assay_case a, b;
    (void)state;
    memset(&a, 0xff, sizeof a);
    memset(&b, 0, sizeof b);
    assay_case_clear(&a);
    assert_memory_equal(&a, &b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_a_case_is_cleared),
        TEST(c01_null_within_budget),
        TEST(c01_errno),
        TEST(c01_unsupported_alignments),
        TEST(c01_budget_counts_live_bytes),
        TEST(c01_no_more_mappings),
        TEST(c02_default_alignment),
        TEST(c02_profile_demands_more),
        TEST(c03_requested_alignment),
        TEST(c03_what_had_to_be_refused_is_c22),
        TEST(c04_usable),
        TEST(c04_usable_learnt_by_query),
        TEST(c04_usable_is_requested),
        TEST(c05_overlap),
        TEST(c05_growing_in_place_is_none),
        TEST(c05_between_the_halves_of_a_resize),
        TEST(c06_usable_overlap),
        TEST(c07_foreign),
        TEST(c08_content),
        TEST(c08_siblings),
        TEST(c08_without_evidence_is_still_told),
        TEST(c09_usable_bytes),
        TEST(c09_blamed_for_damage_by_slack),
        TEST(c10_zero),
        TEST(c11_product),
        TEST(c12_prefix),
        TEST(c13_survivor),
        TEST(c13_slack_lost_to_the_refusal),
        TEST(c13_survivor_cannot_be_freed),
        TEST(c13_in_two_halves),
        TEST(c14_realloc_of_null),
        TEST(c15_realloc_to_nothing),
        TEST(c15_refused),
        TEST(c16_aligned_object),
        TEST(c16_alignment_kept),
        TEST(c18_size_zero),
        TEST(c19_errno_kept),
        TEST(c20_posix_memalign),
        TEST(c21_aligned_alloc),
        TEST(c22_oversize),
        TEST(c23_refusal_damages),
        TEST(c23_seen_by_the_sweep_of_the_refused_call),
        TEST(c23_is_not_blamed_without_proof),
        TEST(c26_crash_abort_hang),
        TEST(c27_first_calls),
        TEST(c28_across_threads),
        TEST(c27_registrations),
        TEST(c28_stops),
        TEST(c26_beside_a_fork),
        TEST(c30_forks),
        TEST(c30_needs_proof),
        TEST(c35_handlers),
        TEST(s01_double_free),
        TEST(s01_seen_by_the_host),
        TEST(s01_needs_the_promise),
        TEST(after_misuse_only_security_is_judged),
        TEST(unmarked_misuse_ends_the_judging_too),
        TEST(left_out_events),
        TEST(a_resize_granted_here_only_keeps_its_number),
        TEST(needs_decide_what_is_judged),
        TEST(missing_apis_are_not_judged),
        TEST(evaluations_are_exact),
        TEST(reset_forgets_objects_and_keeps_counts),
        TEST(hostile_events_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

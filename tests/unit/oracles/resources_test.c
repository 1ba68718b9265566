/* C31 to C33: growth that goes on is told from what fills, a refusal where memory ends from one
 * where it does not, and each violation is flagged by exactly its property. */
#include <signal.h>

#include "tests/unit/oracles/stream.h"

enum { BASE = 0x10000000, MANY = 300000, DEATHS = 64, MMAP = 1 << 0, MUNMAP = 1 << 2 };
#define MIB (UINT64_C(1) << 20)

static struct stream s;
static uint32_t number;

/* As many objects as passes need. */
static void open_as(uint64_t has, const struct assay_profile *profile)
{
    memset(&s, 0, sizeof s);
    number = 0;
    s.config = (struct assay_judge_config){
        .has = has, .max_objects = MANY, .legal = true, .report_self = &s, .report = stream_report};
    if (profile)
        s.config.profile = *profile;
    else
        assay_profile_generic(&s.config.profile);
    assert_int_equal(assay_arena_create(&s.arena, assay_judge_bytes(&s.config), NULL), 0);
    s.judge = assay_judge_create(&s.arena, &s.config);
    assert_non_null(s.judge);
}

static void open_with(const struct assay_profile *profile)
{
    open_as(STREAM_HAS_ALL | ASSAY_HAS_RESOURCES, profile);
}

static int setup(void **state)
{
    (void)state;
    open_with(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stream_close(&s);
    return 0;
}

static void survives(enum assay_answer answer)
{
    struct assay_profile profile;
    assay_profile_generic(&profile);
    profile.survives_mapping_failure = (uint8_t)answer;
    stream_close(&s);
    open_with(&profile);
}

static uint32_t granted(uint64_t bytes, uint64_t where)
{
    stream_malloc(&s, ++number, bytes, where);
    return number;
}

static void refused(uint64_t bytes, int error)
{
    PUT(&s, MALLOC, .born = ++number, .size = bytes, .error = (uint8_t)error);
}

static void pass_of(uint64_t bytes, uint64_t where, uint64_t step)
{
    for (unsigned i = 0; i < DEATHS; i++)
        stream_free(&s, granted(bytes, where + i * step));
}

static void pass(uint64_t where, uint64_t step)
{
    pass_of(100, where, step);
}

/* 2^last passes, each measured value given by a function of the passes behind. */
static void measured(enum assay_measure what, unsigned last, uint64_t (*value)(uint64_t),
                     bool reuse)
{
    uint64_t done = 0;
    for (unsigned k = 0; k <= last; k++) {
        for (; done < UINT64_C(1) << k; done++)
            pass(reuse ? BASE : BASE + done * DEATHS * 512, 512);
        PUT(&s, MEASURE, .arg = what, .size = done, .value = value(done));
    }
}

static uint64_t steady(uint64_t passes)
{
    return 3 * MIB + (passes & 1) * 8192;
}

static uint64_t leak_1024(uint64_t passes)
{
    return 3 * MIB + passes * 1024;
}

/* A quarantine of 12 MiB that gets 100 KiB with each pass. */
static uint64_t filling(uint64_t passes)
{
    return 3 * MIB + (passes * 100 << 10 < 12 * MIB ? passes * 100 << 10 : 12 * MIB);
}

/* Ever more seldom a slab is added. */
static uint64_t flattening(uint64_t passes)
{
    uint64_t k = 64 - (uint64_t)__builtin_clzll(passes);
    return 3 * MIB + k * 300 * 1024;
}

static uint64_t two_mappings(uint64_t passes)
{
    return 60 + 2 * passes;
}

static uint64_t few_mappings(uint64_t passes)
{
    return 60 + (passes < 90 ? passes : 90);
}

/* As jemalloc was seen to: 25 KiB a pass, for a thousand of them. */
static uint64_t a_thousand_passes(uint64_t passes)
{
    return 8 * MIB + (passes < 1000 ? passes : 1000) * 25600;
}

/* As scudo was: one mapping in 32 passes, all given back after a thousand. */
static uint64_t in_turns(uint64_t passes)
{
    return 61 + passes % 992 / 32;
}

static void c31_growth_that_goes_on(void **state)
{
    (void)state;
    measured(ASSAY_MEASURE_RESIDENT, 11, leak_1024, true);
    ASSERT_ONLY(&s, C31, OTHER);
}

static uint64_t burst(uint64_t passes)
{
    return 3 * MIB + passes * 200 * MIB;
}

static uint64_t once(uint64_t passes)
{
    return passes < 2 ? 3 * MIB : 700 * MIB;
}

static void c31_much_at_once(void **state)
{
    (void)state;
    measured(ASSAY_MEASURE_RESIDENT, 2, once, true);
    ASSERT_NONE(&s);
    stream_close(&s);
    open_with(NULL);
    measured(ASSAY_MEASURE_RESIDENT, 2, burst, true);
    ASSERT_ONLY(&s, C31, OTHER);
}

enum { TURNED = 4096, TURNED_BYTES = 8000 };

static void turned_over(unsigned last, uint64_t (*value)(uint64_t))
{
    uint64_t done = 0;
    for (unsigned k = 0; k <= last; k++) {
        for (; done < UINT64_C(1) << k; done++)
            PUT(&s, TURNOVER, .size = TURNED_BYTES, .arg = TURNED, .value = TURNED);
        PUT(&s, MEASURE, .arg = ASSAY_MEASURE_RESIDENT, .size = done, .value = value(done));
    }
}

/* Of 200 that are freed one is lost. */
static uint64_t drip(uint64_t passes)
{
    return 3 * MIB + passes * TURNED / 200 * TURNED_BYTES;
}

/* One waits in a queue of 4,096. */
static uint64_t sampled(uint64_t passes)
{
    uint64_t kept = passes * TURNED / 200;
    return 3 * MIB + (kept < 4096 ? kept : 4096) * TURNED_BYTES;
}

/* All wait in a queue of 256 MiB. */
static uint64_t queued(uint64_t passes)
{
    uint64_t kept = passes * TURNED * TURNED_BYTES;
    return 3 * MIB + (kept < 256 * MIB ? kept : 256 * MIB);
}

/* And is noted down, for ever so many more than it has room for. */
static uint64_t noted(uint64_t passes)
{
    return 3 * MIB + passes * TURNED * sizeof(void *);
}

static void c31_little_of_one_size(void **state)
{
    (void)state;
    turned_over(9, drip);
    ASSERT_ONLY(&s, C31, OTHER);
    teardown(NULL);
    setup(NULL);
    turned_over(11, sampled);
    ASSERT_NONE(&s);
    assert_true(assay_judge_evaluations(s.judge, ASSAY_PROPERTY_C31) > 0);
    teardown(NULL);
    setup(NULL);
    turned_over(11, queued);
    ASSERT_NONE(&s);
    teardown(NULL);
    setup(NULL);
    turned_over(11, noted);
    ASSERT_NONE(&s);
}

static void c31_a_profile_keeps_more(void **state)
{
    struct assay_profile profile;
    (void)state;
    assay_profile_generic(&profile);
    profile.keeps_objects = 65536;
    stream_close(&s);
    open_with(&profile);
    turned_over(11, drip);
    ASSERT_NONE(&s);
}

/* A mebibyte of the address space for each pass, on 64 GiB that are reserved for good. */
static uint64_t one_reserve(uint64_t passes)
{
    return 65536 * MIB + passes * MIB;
}

static uint64_t reserves_once(uint64_t passes)
{
    return 65536 * MIB + (passes < 32 ? 0 : 1024 * MIB);
}

static void c31_address_space(void **state)
{
    (void)state;
    measured(ASSAY_MEASURE_SPACE, 11, reserves_once, true);
    ASSERT_NONE(&s);
    teardown(NULL);
    setup(NULL);
    measured(ASSAY_MEASURE_SPACE, 11, one_reserve, true);
    ASSERT_ONLY(&s, C31, OTHER);
}

static void c31_mappings(void **state)
{
    (void)state;
    measured(ASSAY_MEASURE_MAPPINGS, 11, two_mappings, true);
    ASSERT_ONLY(&s, C31, OTHER);
}

static void c31_what_fills_is_no_growth(void **state)
{
    (void)state;
    measured(ASSAY_MEASURE_RESIDENT, 12, filling, true);
    ASSERT_NONE(&s);
    teardown(NULL);
    setup(NULL);
    measured(ASSAY_MEASURE_RESIDENT, 12, flattening, true);
    ASSERT_NONE(&s);
    teardown(NULL);
    setup(NULL);
    measured(ASSAY_MEASURE_MAPPINGS, 12, few_mappings, true);
    ASSERT_NONE(&s);
    teardown(NULL);
    setup(NULL);
    measured(ASSAY_MEASURE_RESIDENT, 12, a_thousand_passes, true);
    ASSERT_NONE(&s);
    teardown(NULL);
    setup(NULL);
    measured(ASSAY_MEASURE_MAPPINGS, 12, in_turns, true);
    ASSERT_NONE(&s);
    teardown(NULL);
    setup(NULL);
    measured(ASSAY_MEASURE_RESIDENT, 11, steady, true);
    ASSERT_NONE(&s);
    assert_true(assay_judge_evaluations(s.judge, ASSAY_PROPERTY_C31) > 0);
}

/* As measured(), and with each pass some threads end. */
static void measured_with_threads(unsigned threads, uint64_t bytes, unsigned last,
                                  uint64_t (*value)(uint64_t))
{
    uint64_t done = 0;
    for (unsigned k = 0; k <= last; k++) {
        for (; done < UINT64_C(1) << k; done++) {
            pass_of(bytes, BASE, 512);
            for (unsigned i = 0; i < threads; i++)
                PUT(&s, THREAD_EXIT, .thread = 1);
        }
        PUT(&s, MEASURE, .arg = ASSAY_MEASURE_RESIDENT, .size = done, .value = value(done));
    }
}

static uint64_t leak_16k(uint64_t passes)
{
    return 3 * MIB + passes * 16384;
}

/* glibc's arenas, of which each is begun with 132 KiB; and what grows for ever at that pace. */
static uint64_t first_pieces(uint64_t passes)
{
    return 3 * MIB + (passes < 600 ? passes : 600) * 656;
}

static uint64_t leak_656(uint64_t passes)
{
    return 3 * MIB + passes * 656;
}

static void c29_tiny_objects_have_overhead(void **state)
{
    (void)state;
    measured_with_threads(3, 16, 12, first_pieces);
    ASSERT_NONE(&s);
    teardown(NULL);
    setup(NULL);
    measured_with_threads(3, 16, 10, leak_656);
    ASSERT_ONLY(&s, C29, OTHER);
}

static uint64_t leak_2k(uint64_t passes)
{
    return 3 * MIB + passes * 2048;
}

/* Threads reuse what threads freed; the first one's objects stand at new places, or where its
 * former ones stood. */
static void churned(bool first_at_new_places)
{
    enum { OF_FIRST = 16, THREADS = 4, LAST = 9 };
    uint64_t next = BASE + MIB, done = 0;
    for (unsigned k = 0; k <= LAST; k++) {
        for (; done < UINT64_C(1) << k; done++) {
            for (unsigned i = 0; i < OF_FIRST; i++) {
                uint64_t at = first_at_new_places ? (next += 128) : BASE + MIB + 128 * i;
                stream_free(&s, granted(40, at));
            }
            for (unsigned thread = 1; thread <= THREADS; thread++) {
                for (unsigned i = 0; i < OF_FIRST; i++) {
                    PUT(&s, MALLOC, .thread = (uint16_t)thread, .born = ++number, .size = 40,
                        .address = BASE + 128 * i, .flags = ASSAY_FLAG_EXECUTED | ASSAY_FLAG_USABLE,
                        .usable_extra = 8, .checked = ASSAY_FACT_FOREIGN);
                    PUT(&s, FREE, .thread = (uint16_t)thread, .object = number,
                        .checked = ASSAY_FACT_CONTENT);
                }
                PUT(&s, THREAD_EXIT, .thread = (uint16_t)thread);
            }
        }
        PUT(&s, MEASURE, .arg = ASSAY_MEASURE_RESIDENT, .size = done, .value = leak_2k(done));
    }
}

static void c29_first_thread_fills_what_is_its_own(void **state)
{
    (void)state;
    churned(true);
    ASSERT_NONE(&s);
    teardown(NULL);
    setup(NULL);
    churned(false);
    ASSERT_ONLY(&s, C29, OTHER);
}

static void c29_growth_with_threads(void **state)
{
    (void)state;
    measured_with_threads(8, 100, 7, leak_16k);
    ASSERT_ONLY(&s, C29, OTHER);
    teardown(NULL);
    setup(NULL);
    measured_with_threads(4, 100, 9, filling);
    ASSERT_NONE(&s);
    assert_true(assay_judge_evaluations(s.judge, ASSAY_PROPERTY_C29) > 0);
    teardown(NULL);
    setup(NULL);
    measured_with_threads(1, 100, 7, leak_16k); /* too few to tell */
    ASSERT_NONE(&s);
}

static void c31_is_not_asked_of_who_reuses_nothing(void **state)
{
    (void)state;
    uint32_t first = granted(100, BASE - 512);
    PUT(&s, REALLOC, .object = first, .born = ++number, .size = 50, .address = BASE - 512);
    stream_free(&s, number); /* it stayed where it was */
    measured(ASSAY_MEASURE_RESIDENT, 11, leak_1024, false);
    ASSERT_NONE(&s);
}

static void c31_is_asked_of_who_reuses_nothing_but_gives_back(void **state)
{
    uint64_t done = 0;
    (void)state;
    for (unsigned k = 0; k <= 11; k++) {
        for (; done < UINT64_C(1) << k; done++)
            pass(BASE + done * DEATHS * 512, 512);
        PUT(&s, MEASURE, .arg = ASSAY_MEASURE_RESIDENT, .size = done, .value = 3 * MIB);
        PUT(&s, MEASURE, .arg = ASSAY_MEASURE_MAPPINGS, .size = done, .value = 60 + 8 * done);
    }
    ASSERT_ONLY(&s, C31, OTHER);
}

/* 64 objects a pass; of each `lost` one is never handed out again, lost == 1: all of them. */
static void lost_measured(unsigned lost, unsigned last, uint64_t (*value)(uint64_t))
{
    uint64_t done = 0, fresh = BASE + DEATHS * 512;
    uint64_t places[DEATHS];
    for (unsigned i = 0; i < DEATHS; i++)
        places[i] = BASE + i * 512;
    for (unsigned k = 0; k <= last; k++) {
        for (; done < UINT64_C(1) << k; done++)
            for (unsigned i = 0; i < DEATHS; i++) {
                stream_free(&s, granted(100, places[i]));
                if (i % lost == 0) {
                    places[i] = fresh;
                    fresh += 512;
                }
            }
        PUT(&s, MEASURE, .arg = ASSAY_MEASURE_RESIDENT, .size = done, .value = value(done));
    }
}

static uint64_t all_of_it(uint64_t passes)
{
    return 3 * MIB + passes * DEATHS * 512;
}

static uint64_t a_quarter(uint64_t passes)
{
    return 3 * MIB + passes * DEATHS * 128;
}

static uint64_t much(uint64_t passes)
{
    return 3 * MIB + passes * 2 * MIB;
}

static void c31_a_queue_bounded_in_bytes(void **state)
{
    (void)state;
    granted(100, BASE); /* an object stands where another stood */
    stream_free(&s, number);
    lost_measured(1, 12, all_of_it); /* it may be filling still */
    ASSERT_NONE(&s);
    teardown(NULL);
    setup(NULL);
    lost_measured(4, 11, a_quarter); /* what takes one in four is no queue */
    ASSERT_ONLY(&s, C31, OTHER);
    teardown(NULL);
    setup(NULL);
    granted(100, BASE);
    stream_free(&s, number);
    lost_measured(1, 9, much); /* more than any queue keeps */
    ASSERT_ONLY(&s, C31, OTHER);
}

static void c32_large_after_small(void **state)
{
    uint32_t pieces[32], last = 0;
    (void)state;
    PUT(&s, LIMIT, .size = 256 * MIB);
    last = granted(192 * MIB, BASE);
    stream_free(&s, last);
    for (unsigned i = 0; i < 32; i++)
        pieces[i] = granted(4 * MIB, BASE + i * 5 * MIB);
    refused(192 * MIB, ENOMEM);
    for (unsigned i = 0; i < 32; i++)
        stream_free(&s, pieces[i]);
    refused(192 * MIB, ENOMEM); /* the whole is not asked for */
    ASSERT_NONE(&s);
    refused(96 * MIB, ENOMEM);
    ASSERT_ONLY(&s, C32, NULL);
    granted(96 * MIB, BASE);
    ASSERT_NONE(&s);
}

static void c33_under_a_limit(void **state)
{
    (void)state;
    PUT(&s, LIMIT, .size = MIB);
    refused(2 * MIB, ENOMEM);
    PUT(&s, REALLOC, .born = ++number, .size = 2 * MIB, .place = ASSAY_PLACE_NULL, .error = ENOMEM);
    ASSERT_NONE(&s);
    refused(2 * MIB, 0);
    ASSERT_ONLY(&s, C33, WRONG_ERRNO);
    PUT(&s, LIMIT, .size = 0);
    granted(2 * MIB, BASE);
    ASSERT_NONE(&s);
    refused(2 * MIB, ENOMEM);
    ASSERT_ONLY(&s, C33, NULL);
}

static void c33_half_is_freed(void **state)
{
    uint32_t first;
    (void)state;
    PUT(&s, LIMIT, .size = 16 * MIB);
    stream_free(&s, granted(65536, BASE));
    first = number + 1;
    for (unsigned i = 0; i < 64; i++)
        granted(65536, BASE + i * 65536 * 2);
    refused(65536, ENOMEM);
    for (unsigned i = 0; i < 64; i += 2)
        stream_free(&s, first + i);
    for (unsigned i = 0; i < 64; i++)
        refused(65536, ENOMEM);
    ASSERT_NONE(&s);
    refused(65537, ENOMEM); /* not what was freed */
    ASSERT_NONE(&s);
    refused(65536, ENOMEM); /* it may be found by a smaller size only */
    ASSERT_NONE(&s);
    for (unsigned i = 0; i < 16; i++)
        refused(57344, ENOMEM);
    ASSERT_NONE(&s);
    refused(65536, ENOMEM);
    ASSERT_ONLY(&s, C33, NULL);
}

static void c33_a_failure_taken_for_an_address(void **state)
{
    uint8_t untouchable = ASSAY_FACT_CONTENT | ASSAY_FACT_READABLE;
    (void)state;
    PUT(&s, REFUSE, .arg = MMAP, .size = 1);
    PUT(&s, MALLOC, .born = ++number, .size = 100, .address = UINT64_MAX - 4095,
        .checked = untouchable, .failed = untouchable);
    ASSERT_ONLY(&s, C33, NOT_NULL);
}

static void died(int signal)
{
    s.op = (struct assay_event){.kind = ASSAY_OP_MALLOC, .born = ++number, .size = 100};
    assay_judge_before(s.judge, &s.op);
    assay_judge_crash(s.judge, signal);
}

static void c33_stops_when_calls_fail(void **state)
{
    (void)state;
    PUT(&s, REFUSE, .arg = MMAP, .size = 1);
    died(SIGABRT); /* it has never worked yet */
    ASSERT_NONE(&s);
    died(SIGSEGV);
    ASSERT_ONLY(&s, C33, CRASH);
    assay_judge_reset(s.judge);
    granted(100, BASE);
    PUT(&s, REFUSE, .arg = MMAP, .size = 1);
    died(SIGABRT);
    ASSERT_ONLY(&s, C33, ABORT);
    PUT(&s, REFUSE, .arg = MUNMAP, .size = 1);
    died(SIGABRT);
    ASSERT_NONE(&s);
    survives(ASSAY_ANSWER_YES);
    PUT(&s, REFUSE, .arg = MUNMAP, .size = 1);
    died(SIGABRT);
    ASSERT_ONLY(&s, C33, ABORT);
    survives(ASSAY_ANSWER_NO);
    PUT(&s, REFUSE, .arg = MUNMAP, .size = 1);
    died(SIGABRT);
    ASSERT_NONE(&s);
}

static void c33_what_no_profile_excuses(void **state)
{
    (void)state;
    for (enum assay_answer answer = ASSAY_ANSWER_UNKNOWN; answer <= ASSAY_ANSWER_YES; answer++) {
        survives(answer);
        granted(100, BASE);
        PUT(&s, REFUSE, .arg = MUNMAP, .size = 1);
        died(SIGSEGV);
        ASSERT_ONLY(&s, C33, CRASH);
        assay_judge_reset(s.judge);
        granted(100, BASE);
        PUT(&s, REFUSE, .arg = MUNMAP, .size = 1);
        died(0);
        ASSERT_ONLY(&s, C33, HANG);
        assay_judge_reset(s.judge);
        granted(100, BASE);
        PUT(&s, REFUSE, .arg = MUNMAP, .size = 1);
        PUT(&s, REFUSE, .arg = 0); /* the failures are over */
        died(SIGABRT);
        ASSERT_ONLY(&s, C33, ABORT);
        assay_judge_reset(s.judge);
    }
}

static void c33_failures_before_excuse_nothing(void **state)
{
    (void)state;
    granted(100, BASE);
    PUT(&s, REFUSE, .arg = MUNMAP, .size = 1);
    PUT(&s, REFUSE, .arg = 0);
    PUT(&s, REFUSE, .arg = MMAP, .size = 1);
    died(SIGABRT);
    ASSERT_ONLY(&s, C33, ABORT);
}

/* The process dies of a malloc with so many objects live; told: and there were no more mappings. */
static void died_with(uint64_t has, enum assay_answer survives, unsigned live, bool told,
                      int signal)
{
    struct assay_profile profile;
    assay_profile_generic(&profile);
    profile.survives_mapping_failure = (uint8_t)survives;
    stream_close(&s);
    open_as(has, &profile);
    for (unsigned i = 0; i < live; i++)
        granted(100, BASE + i * UINT64_C(8192));
    if (told)
        assay_judge_no_mappings(s.judge);
    died(signal);
}

enum { ENOUGH_LIVE = 2048, FEW_LIVE = 1000 };

static void c26_stops_without_mappings(void **state)
{
    /* as trials and as replays have it */
    static const uint64_t streams[] = {STREAM_HAS_ALL | ASSAY_HAS_RESOURCES, STREAM_HAS_ALL};
    (void)state;
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        died_with(streams[i], ASSAY_ANSWER_UNKNOWN, ENOUGH_LIVE, true, SIGABRT);
        ASSERT_NONE(&s);
        died(SIGABRT); /* what was told is of one end */
        ASSERT_ONLY(&s, C26, ABORT);
        died_with(streams[i], ASSAY_ANSWER_NO, ENOUGH_LIVE, true, SIGABRT);
        ASSERT_NONE(&s);
        died_with(streams[i], ASSAY_ANSWER_UNKNOWN, ENOUGH_LIVE, false, SIGABRT);
        ASSERT_ONLY(&s, C26, ABORT);
        died_with(streams[i], ASSAY_ANSWER_UNKNOWN, FEW_LIVE, true, SIGABRT);
        ASSERT_ONLY(&s, C26, ABORT);
    }
}

static void c33_dies_without_mappings(void **state)
{
    (void)state;
    died_with(STREAM_HAS_ALL | ASSAY_HAS_RESOURCES, ASSAY_ANSWER_UNKNOWN, ENOUGH_LIVE, true,
              SIGSEGV);
    ASSERT_ONLY(&s, C33, CRASH);
    died_with(STREAM_HAS_ALL, ASSAY_ANSWER_UNKNOWN, ENOUGH_LIVE, true, SIGSEGV);
    ASSERT_ONLY(&s, C26, CRASH);
    died_with(STREAM_HAS_ALL | ASSAY_HAS_RESOURCES, ASSAY_ANSWER_YES, ENOUGH_LIVE, true, SIGABRT);
    ASSERT_ONLY(&s, C33, ABORT);
    died_with(STREAM_HAS_ALL, ASSAY_ANSWER_YES, ENOUGH_LIVE, true, SIGABRT);
    ASSERT_ONLY(&s, C26, ABORT);
}

static void c33_is_no_excuse_for_other_programs(void **state)
{
    (void)state;
    PUT(&s, LIMIT, .size = MIB);
    refused(2 * MIB, ENOMEM);
    assay_judge_reset(s.judge);
    refused(2 * MIB, ENOMEM);
    ASSERT_ONLY(&s, C01, NULL);
    died(SIGSEGV);
    ASSERT_ONLY(&s, C26, CRASH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(c29_tiny_objects_have_overhead),
        TEST(c29_first_thread_fills_what_is_its_own),
        TEST(c29_growth_with_threads),
        TEST(c31_growth_that_goes_on),
        TEST(c31_much_at_once),
        TEST(c31_little_of_one_size),
        TEST(c31_a_profile_keeps_more),
        TEST(c31_address_space),
        TEST(c31_mappings),
        TEST(c31_what_fills_is_no_growth),
        TEST(c31_is_not_asked_of_who_reuses_nothing),
        TEST(c31_is_asked_of_who_reuses_nothing_but_gives_back),
        TEST(c32_large_after_small),
        TEST(c33_under_a_limit),
        TEST(c33_half_is_freed),
        TEST(c33_a_failure_taken_for_an_address),
        TEST(c33_stops_when_calls_fail),
        TEST(c33_is_no_excuse_for_other_programs),
        TEST(c31_a_queue_bounded_in_bytes),
        TEST(c33_what_no_profile_excuses),
        TEST(c33_failures_before_excuse_nothing),
        TEST(c26_stops_without_mappings),
        TEST(c33_dies_without_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Intervals against published and computed values; the sequential test's stated error, by
 * simulation; entropy bounds on distributions whose entropy is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oracles/sequential.h"
#include "traces/core/random.h"

static void close_to(double seen, double expected, double within)
{
    if (fabs(seen - expected) > within)
        fail_msg("%.6f is not within %.6f of %.6f", seen, within, expected);
}

/* Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29. */
static void wilson_is_as_published(void **state)
{
    static const struct {
        uint64_t hits, n;
        double low, high;
    } rows[] = {{81, 263, 0.2553, 0.3662},
                {15, 148, 0.0624, 0.1605},
                {0, 20, 0, 0.1611},
                {1, 29, 0.0061, 0.1718}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct assay_interval w = assay_wilson(rows[i].hits, rows[i].n, 1.959964);
        close_to(w.low, rows[i].low, 0.00006);
        close_to(w.high, rows[i].high, 0.00006);
    }
    close_to(assay_wilson(0, 50, 1.96).high, 0.0714, 0.0001);
    close_to(assay_wilson(0, 300, 1.96).high, 0.0126, 0.0001);
    close_to(assay_wilson(300, 300, 1.96).low, 1 - 0.0126, 0.0001);
    close_to(assay_wilson(0, 0, 1.96).high, 1, 0);
}

static void the_always_valid_interval_is_wider_and_closes(void **state)
{
    (void)state;
    struct assay_interval narrow = assay_wilson(30, 100, 1.96);
    struct assay_interval valid = assay_always_valid(30, 100, 0.05);
    assert_true(valid.low < narrow.low && valid.high > narrow.high);
    assert_true(valid.low > 0.1 && valid.high < 0.5);
    assert_true(assay_always_valid(0, 10, 0.05).low == 0);
    assert_true(assay_always_valid(10, 10, 0.05).high == 1);
    /* by hand: 0 of n excludes p when B(1/2, n + 1/2) / pi > 20 (1 - p)^n */
    double high = assay_always_valid(0, 100, 0.05).high;
    double mixture = lgamma(0.5) + lgamma(100.5) - lgamma(101) - log(M_PI);
    close_to(mixture - 100 * log1p(-high), log(20), 1e-6);
    close_to(assay_always_valid(30000, 100000, 0.05).high, 0.3, 0.01);
}

static void decisions_follow_the_borders(void **state)
{
    (void)state;
    assert_int_equal(assay_decide(0, 0, 0.05, 0.95, 0.05), ASSAY_UNDECIDED);
    assert_int_equal(assay_decide(0, 50, 0.05, 0.95, 0.05), ASSAY_UNDECIDED);
    assert_int_equal(assay_decide(0, 130, 0.05, 0.95, 0.05), ASSAY_NEVER);
    assert_int_equal(assay_decide(130, 130, 0.05, 0.95, 0.05), ASSAY_ALWAYS);
    assert_int_equal(assay_decide(60, 120, 0.05, 0.95, 0.05), ASSAY_SOMETIMES);
    assert_int_equal(assay_decide(114, 120, 0.05, 0.95, 0.05), ASSAY_UNDECIDED);
}

/* A rate on the border must not be called ALWAYS or NEVER too often, though we look after every
 * trial. */
static void the_stated_error_holds_when_one_looks_after_each_trial(void **state)
{
    enum { RUNS = 2000, TRIALS = 400 };
    struct assay_random random;
    unsigned wrong = 0;
    (void)state;
    assay_random_seed(&random, 7);
    for (int run = 0; run < RUNS; run++) {
        uint64_t hits = 0;
        for (uint64_t n = 1; n <= TRIALS; n++) {
            hits += assay_random_below(&random, 20) != 0; /* 0.95 */
            enum assay_decision decision = assay_decide(hits, n, 0.05, 0.95, 0.05);
            if (decision == ASSAY_ALWAYS || decision == ASSAY_NEVER) {
                wrong++;
                break;
            }
        }
    }
    assert_true(wrong < RUNS / 20);
}

/* What happens as often as wanted must not be called NEVER too often, what happens no more often
 * than the floor not ALWAYS, and neither may take many trials. */
static void as_often_errs_as_rarely_as_stated(void **state)
{
    enum { RUNS = 300, TRIALS = 400 };
    static const struct {
        unsigned percent;
        enum assay_decision wrong;
    } rates[] = {{15, ASSAY_NEVER}, {4, ASSAY_ALWAYS}, {0, ASSAY_ALWAYS}, {30, ASSAY_NEVER}};
    struct assay_random random;
    (void)state;
    assay_random_seed(&random, 11);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        unsigned wrong = 0, undecided = 0;
        uint64_t trials = 0;
        for (int run = 0; run < RUNS; run++) {
            uint64_t hits = 0, n = 0;
            enum assay_decision decision = ASSAY_UNDECIDED;
            while (decision == ASSAY_UNDECIDED && n < TRIALS) {
                hits += assay_random_below(&random, 100) < rates[i].percent;
                decision = assay_decide_as_often(hits, ++n, 0.04, 0.15, 0.01);
            }
            wrong += decision == rates[i].wrong;
            undecided += decision == ASSAY_UNDECIDED;
            trials += n;
        }
        assert_true(wrong <= RUNS / 100);
        assert_int_equal(undecided, 0);
        assert_true(trials / RUNS < 120);
    }
}

/* Wald's bounds hold at the two rates and beyond, and rates far from both take few trials. */
static void walds_test_errs_as_rarely_as_stated(void **state)
{
    enum { RUNS = 4000, TRIALS = 4000 };
    static const struct {
        double floor, wanted, alpha, beta;
        unsigned per_mille;
        enum assay_decision wrong;
        double trials; /* on average at most */
    } cases[] = {
        {0.45, 0.9, 0.02, 0.1, 450, ASSAY_ALWAYS, 8}, {0.45, 0.9, 0.02, 0.1, 900, ASSAY_NEVER, 9},
        {0.45, 0.9, 0.02, 0.1, 50, ASSAY_ALWAYS, 3},  {0.45, 0.9, 0.02, 0.1, 990, ASSAY_NEVER, 7},
        {0.1, 0.2, 0.02, 0.1, 100, ASSAY_ALWAYS, 65}, {0.1, 0.2, 0.02, 0.1, 200, ASSAY_NEVER, 85},
        {0.1, 0.2, 0.05, 0.05, 0, ASSAY_ALWAYS, 30},  {0.1, 0.2, 0.05, 0.05, 100, ASSAY_ALWAYS, 75},
    };
    struct assay_random random;
    (void)state;
    assay_random_seed(&random, 5);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double bound = cases[i].wrong == ASSAY_ALWAYS ? cases[i].alpha / (1 - cases[i].beta)
                                                      : cases[i].beta / (1 - cases[i].alpha);
        unsigned wrong = 0, undecided = 0;
        uint64_t trials = 0;
        for (int run = 0; run < RUNS; run++) {
            uint64_t hits = 0, n = 0;
            enum assay_decision decision = ASSAY_UNDECIDED;
            while (decision == ASSAY_UNDECIDED && n < TRIALS) {
                hits += assay_random_below(&random, 1000) < cases[i].per_mille;
                decision = assay_decide_wald(hits, ++n, cases[i].floor, cases[i].wanted,
                                             cases[i].alpha, cases[i].beta);
            }
            wrong += decision == cases[i].wrong;
            undecided += decision == ASSAY_UNDECIDED;
            trials += n;
        }
        /* three standard deviations of RUNS draws */
        assert_true(wrong <= RUNS * bound + 3 * sqrt(RUNS * bound));
        assert_int_equal(undecided, 0);
        assert_true((double)trials / RUNS <= cases[i].trials);
    }
}

static void so_many_trials_show_it(void **state)
{
    (void)state;
    assert_int_equal(assay_trials_to_see(1, 0.001, 500), 1);
    assert_int_equal(assay_trials_to_see(0, 0.001, 500), 500);
    assert_int_equal(assay_trials_to_see(0.5, 0.001, 500), 10); /* 2^-10 < 0.001 < 2^-9 */
    assert_int_equal(assay_trials_to_see(0.0001, 0.001, 500), 500);
}

static void collisions_are_counted(void **state)
{
    uint64_t values[] = {5, 1, 5, 2, 5, 1};
    (void)state;
    struct assay_collisions c = assay_collisions(values, 6);
    assert_int_equal(c.distinct, 3);
    assert_int_equal(c.most, 3);
    assert_int_equal(c.pairs, 3 + 1);
    assert_int_equal(assay_collisions(values, 0).n, 0);
}

static void entropy_is_bounded_from_below(void **state)
{
    enum { N = 500, RUNS = 400 };
    struct assay_random random;
    uint64_t values[N];
    (void)state;
    /* always the same value: no entropy */
    for (int i = 0; i < N; i++)
        values[i] = 9;
    struct assay_collisions same = assay_collisions(values, N);
    close_to(assay_entropy_bound(&same, 0.05), 0, 1e-6);
    /* all different: 2 log2(n / 4.744) bits, where (1 + x) exp(-x) = 0.05 */
    const struct assay_collisions none = {.n = N, .distinct = N, .most = 1};
    close_to(assay_entropy_bound(&none, 0.05), 2 * log2(N / 4.7439), 0.001);
    /* uniform over 2^b: never above b but in one of twenty runs, and not far below */
    assay_random_seed(&random, 3);
    for (unsigned bits = 2; bits <= 12; bits += 5) {
        unsigned above = 0;
        double sum = 0;
        for (int run = 0; run < RUNS; run++) {
            for (int i = 0; i < N; i++)
                values[i] = assay_random_below(&random, UINT64_C(1) << bits);
            struct assay_collisions c = assay_collisions(values, N);
            double bound = assay_entropy_bound(&c, 0.05);
            above += bound > bits;
            sum += bound;
        }
        assert_true(above <= RUNS / 20);
        assert_true(sum / RUNS > bits - 2.5);
    }
    /* one heavy value hides among many light ones */
    unsigned above = 0;
    for (int run = 0; run < RUNS; run++) {
        for (int i = 0; i < N; i++)
            values[i] = assay_random_below(&random, 100) == 0
                            ? 1
                            : 2 + assay_random_below(&random, UINT64_C(1) << 40);
        struct assay_collisions c = assay_collisions(values, N);
        above += assay_entropy_bound(&c, 0.05) > 2 * log2(100);
    }
    assert_true(above <= RUNS / 20);
}

static void entropy_is_bounded_from_above(void **state)
{
    enum { N = 512, RUNS = 400 };
    struct assay_random random;
    uint64_t values[N];
    (void)state;
    /* without an equal pair there is no bound; one value alone is no draw at all */
    const struct assay_collisions none = {.n = N, .distinct = N, .most = 1}, empty = {0};
    assert_true(assay_collision_least(&none, 0.01) < 1e-12);
    assert_true(assay_collision_least(&empty, 0.01) < 1e-12);
    const struct assay_collisions same = {
        .n = N, .distinct = 1, .most = N, .pairs = N * (N - 1) / 2};
    assert_true(assay_collision_least(&same, 0.01) > 0.7);
    /* one pair is what 2^-24 gives once in a hundred samples (Markov) */
    const struct assay_collisions one = {.n = N, .distinct = N - 1, .most = 2, .pairs = 1};
    assert_true(assay_collision_least(&one, 0.01) < ldexp(1, -23));
    /* uniform over 2^b: never above 2^-b, and not far below */
    assay_random_seed(&random, 5);
    for (unsigned bits = 2; bits <= 8; bits += 3) {
        double sum = 0;
        for (int run = 0; run < RUNS; run++) {
            for (int i = 0; i < N; i++)
                values[i] = assay_random_below(&random, UINT64_C(1) << bits);
            struct assay_collisions c = assay_collisions(values, N);
            double least = assay_collision_least(&c, 0.01);
            assert_true(least <= ldexp(1, -(int)bits));
            sum -= log2(least);
        }
        assert_true(sum / RUNS < bits + 3.5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_is_as_published),
        cmocka_unit_test(the_always_valid_interval_is_wider_and_closes),
        cmocka_unit_test(decisions_follow_the_borders),
        cmocka_unit_test(the_stated_error_holds_when_one_looks_after_each_trial),
        cmocka_unit_test(as_often_errs_as_rarely_as_stated),
        cmocka_unit_test(walds_test_errs_as_rarely_as_stated),
        cmocka_unit_test(so_many_trials_show_it),
        cmocka_unit_test(collisions_are_counted),
        cmocka_unit_test(entropy_is_bounded_from_below),
        cmocka_unit_test(entropy_is_bounded_from_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

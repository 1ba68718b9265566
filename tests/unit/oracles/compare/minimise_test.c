/* Minimising keeps the finding, ends where nothing more can be taken away (looked up here by force,
 * step by step), and only ever asks about legal programs, about none of them twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fuzzers/generate.h"
#include "oracles/compare/minimise.h"
#include "oracles/sequential.h"
#include "tests/unit/fuzzers/legal.h"
#include "tools/shrink.h"
#include "traces/core/random.h"

static struct assay_generator generator;
static struct assay_event ops[ASSAY_PROGRAM_MAX_OPS];
static struct assay_program_limits limits;
static unsigned tests_made, budget;

typedef bool (*imagined)(const struct assay_event *program, size_t n);

/* The imagined bugs. A realloc of an aligned object of at least 100 bytes while another object
 * lives that calloc made. */
static bool aligned_resize(const struct assay_event *program, size_t n)
{
    static bool aligned[ASSAY_PROGRAM_MAX_OPS + 1], zeroed[ASSAY_PROGRAM_MAX_OPS + 1];
    static uint64_t bytes[ASSAY_PROGRAM_MAX_OPS + 1];
    unsigned live_zeroed = 0;
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

static unsigned count_of(const struct assay_event *program, size_t n, enum assay_op_class op_class)
{
    unsigned count = 0;
    for (size_t i = 0; i < n; i++)
        count += assay_op_info(program[i].kind)->op_class == op_class;
    return count;
}

/* Not monotone: an even number of releases, at least four. */
static bool even_releases(const struct assay_event *program, size_t n)
{
    unsigned count = count_of(program, n, ASSAY_CLASS_RELEASE);
    return count >= 4 && count % 2 == 0;
}

/* Not monotone: what one op opens the next of its kind shuts; the sizes must agree with a modulus.
 */
static bool open_and_large(const struct assay_event *program, size_t n)
{
    bool open = false;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = 0;
        if (program[i].kind == ASSAY_OP_REALLOC && program[i].object)
            open = !open;
        if (program[i].born && !assay_event_refused(&program[i]) &&
            assay_event_bytes(&program[i], &bytes))
            sum += bytes;
    }
    return open && sum > 1000 && sum % 3 != 1;
}

/* Many are needed at once: nothing comes down to a few ops. */
static bool crowd(const struct assay_event *program, size_t n)
{
    unsigned live = 0;
    for (size_t i = 0; i < n; i++) {
        enum assay_op_class op_class = assay_op_info(program[i].kind)->op_class;
        bool refused = assay_event_refused(&program[i]);
        if (program[i].born && !refused)
            live++;
        if (program[i].object &&
            (op_class == ASSAY_CLASS_RELEASE || (op_class == ASSAY_CLASS_RESIZE && !refused)))
            live--;
        if (live > 25 && program[i].kind == ASSAY_OP_CALLOC && program[i].arg * 3 > 7)
            return true;
    }
    return false;
}

/* A refused request, then a write into what is older than it. */
static bool refused_write(const struct assay_event *program, size_t n)
{
    bool refused = false;
    for (size_t i = 0; i < n; i++) {
        if (refused && program[i].kind == ASSAY_OP_WRITE && program[i].arg + program[i].size > 5)
            return true;
        refused |= program[i].born && assay_event_refused(&program[i]);
    }
    return false;
}

static const imagined bugs[] = {aligned_resize, even_releases, open_and_large, crowd,
                                refused_write};

/* Every candidate is legal. The quick form misses each third finding. */
static bool shows(void *self, struct assay_event *program, size_t n, bool careful)
{
    const imagined *bug = self;
    size_t at = 0;
    const char *wrong = first_illegality(program, n, &limits, &at);
    if (wrong)
        fail_msg("asked about an illegal program: op %zu (%s): %s", at,
                 assay_op_info(program[at].kind)->name, wrong);
    tests_made++;
    return (*bug)(program, n) && (careful || tests_made % 3 != 0);
}

static bool expired(void *self)
{
    (void)self;
    return budget != 0 && tests_made >= budget;
}

/* Fails if a step smaller shows it too. Knows nothing of the minimiser but how it mends a program
 * that something is missing from. */
static void check_minimal(imagined bug, const struct assay_event *program, size_t n)
{
    static struct assay_event less[ASSAY_PROGRAM_MAX_OPS], mended[ASSAY_PROGRAM_MAX_OPS];
    static bool keep[ASSAY_PROGRAM_MAX_OPS];
    size_t at;
    assert_true(bug(program, n));
    for (size_t i = 0; i < n; i++) {
        memset(keep, true, sizeof keep);
        keep[i] = false;
        if (bug(mended, assay_minimise_repair(program, n, keep, mended)))
            fail_msg("op %zu (%s) can be left out", i, assay_op_info(program[i].kind)->name);
    }
    for (size_t birth = 0; birth < n; birth++) {
        if (!program[birth].born || program[birth].object)
            continue;
        uint32_t object = program[birth].born; /* what becomes of it, and all that is done to it */
        for (size_t i = 0; i < n; i++) {
            keep[i] = i != birth && (i < birth || program[i].object != object);
            if (!keep[i] && i != birth && program[i].born)
                object = program[i].born;
        }
        if (bug(mended, assay_minimise_repair(program, n, keep, mended)))
            fail_msg("the object of op %zu can be left out", birth);
    }
    for (size_t i = 0; i < n; i++)
        for (unsigned field = 0; field < 2; field++) {
            memcpy(less, program, n * sizeof *less);
            uint64_t *value = field ? &less[i].arg : &less[i].size;
            bool offset = field && program[i].kind == ASSAY_OP_WRITE;
            if (*value < (offset ? 1 : 2) ||
                assay_op_info(less[i].kind)->op_class == ASSAY_CLASS_RELEASE)
                continue;
            *value /= 2;
            size_t count = assay_minimise_repair(less, n, NULL, mended);
            if (!first_illegality(mended, count, &limits, &at) && bug(mended, count))
                fail_msg("op %zu (%s): %s can be halved", i, assay_op_info(program[i].kind)->name,
                         field ? "count, alignment or offset" : "size");
        }
}

static void ends_where_no_step_is_left(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof bugs / sizeof bugs[0]; k++) {
        unsigned tried = 0;
        uint64_t total = 0, before = 0, after = 0;
        for (uint64_t index = 0; index < 400 && tried < 40; index++) {
            bool last;
            imagined bug = bugs[k];
            struct assay_minimised outcome;
            const struct assay_minimise minimise = {
                .self = &bug, .test = shows, .always_careful = index % 2 != 0};
            assay_generate_start(&generator, 5, index);
            size_t n = assay_generate_fill(&generator, ops, ASSAY_PROGRAM_MAX_OPS, &last);
            if (!bug(ops, n))
                continue;
            tried++;
            tests_made = 0;
            size_t left = assay_minimise(ops, n, &minimise, &outcome);
            total += tests_made;
            before += n;
            after += left;
            assert_int_equal(tests_made, outcome.tests);
            assert_true(outcome.shows && outcome.minimal);
            check_minimal(bug, ops, left);
            if (bug == aligned_resize) /* calloc, aligned allocation, realloc */
                assert_int_equal(left, 3);
        }
        print_message("bug %zu: %u programs, %llu -> %llu ops, %llu tests each\n", k, tried,
                      (unsigned long long)before / tried, (unsigned long long)after / tried,
                      (unsigned long long)total / tried);
        assert_int_equal(tried, 40);
        assert_true(total / tried < 3000);
    }
}

static unsigned asked_twice;

/* Remembers what it was asked, and says no to nearly all. */
static bool remembers(void *self, struct assay_event *program, size_t n, bool careful)
{
    enum { MEMORY = 1 << 14 };
    static struct {
        size_t n;
        uint64_t sum;
    } asked[MEMORY];
    static size_t count;
    uint64_t sum = 0;
    (void)self, (void)careful;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < 4; j++)
            sum = sum * UINT64_C(6364136223846793005) + 1 +
                  ((const uint64_t *)(const void *)&program[i])[j];
    for (size_t i = 0; i < count; i++)
        asked_twice += asked[i].n == n && asked[i].sum == sum;
    assert_true(count < MEMORY);
    asked[count].n = n;
    asked[count++].sum = sum;
    return even_releases(program, n);
}

static void no_candidate_is_asked_about_twice(void **state)
{
    const struct assay_minimise minimise = {.test = remembers, .always_careful = true};
    struct assay_minimised outcome;
    bool last;
    (void)state;
    for (uint64_t index = 0; index < 400; index++) {
        assay_generate_start(&generator, 5, index);
        size_t n = assay_generate_fill(&generator, ops, ASSAY_PROGRAM_MAX_OPS, &last);
        if (n < 100 || !even_releases(ops, n))
            continue;
        assay_minimise(ops, n, &minimise, &outcome);
        assert_true(outcome.minimal && outcome.known > 0);
        assert_int_equal(asked_twice, 0);
        return;
    }
    fail_msg("no program to minimise");
}

static void stops_when_time_is_up_with_what_it_has(void **state)
{
    imagined bug = aligned_resize;
    const struct assay_minimise minimise = {.self = &bug, .test = shows, .expired = expired};
    struct assay_minimised outcome;
    (void)state;
    for (uint64_t index = 0; index < 400; index++) {
        bool last;
        assay_generate_start(&generator, 5, index);
        size_t n = assay_generate_fill(&generator, ops, ASSAY_PROGRAM_MAX_OPS, &last);
        if (n < 500 || !bug(ops, n))
            continue;
        tests_made = 0;
        budget = 4;
        size_t left = assay_minimise(ops, n, &minimise, &outcome);
        assert_true(tests_made <= 5);
        assert_true(left <= n && bug(ops, left));
        assert_true(outcome.shows && !outcome.minimal);
        budget = 0;
        return;
    }
    fail_msg("no program to minimise");
}

/* Whether there is a release at all; the first one tells. */
static size_t first_release;

static bool releases(void *self, struct assay_event *program, size_t n, bool careful)
{
    (void)self, (void)careful;
    for (first_release = 0; first_release < n; first_release++)
        if (program[first_release].kind == ASSAY_OP_FREE)
            return true;
    return false;
}

static size_t until_release(void *self, size_t n)
{
    (void)self;
    assert_true(first_release < n);
    return first_release + 1;
}

static bool at_once(void *self)
{
    (void)self;
    return true;
}

/* What a test that passed did not need is gone without a further one. */
static void what_is_not_needed_is_gone_at_once(void **state)
{
    const struct assay_minimise minimise = {
        .test = releases, .needed = until_release, .expired = at_once};
    struct assay_minimised outcome;
    bool last;
    size_t n = 0, many = 0;
    (void)state;
    for (uint64_t index = 0; n < 200 || many < 20; index++) {
        assay_generate_start(&generator, 5, index);
        n = assay_generate_fill(&generator, ops, ASSAY_PROGRAM_MAX_OPS, &last);
        many = count_of(ops, n, ASSAY_CLASS_RELEASE);
    }
    size_t left = assay_minimise(ops, n, &minimise, &outcome);
    assert_true(outcome.shows && !outcome.minimal);
    assert_int_equal(outcome.tests, 1);
    assert_int_equal(left, first_release + 1);
    assert_true(left < n);
    assert_int_equal(ops[left - 1].kind, ASSAY_OP_FREE);
}

static void what_does_not_show_is_left_alone(void **state)
{
    imagined bug = aligned_resize;
    const struct assay_minimise minimise = {.self = &bug, .test = shows};
    struct assay_minimised outcome;
    struct assay_event small[2] = {{.kind = ASSAY_OP_MALLOC, .born = 1, .size = 5},
                                   {.kind = ASSAY_OP_FREE, .object = 1}};
    (void)state;
    assert_int_equal(assay_minimise(small, 2, &minimise, &outcome), 2);
    assert_false(outcome.shows);
    assert_int_equal(small[1].object, 1);
}

/* What was freed twice is no finding once it is freed once. */
static void a_misuse_stays_the_misuse_that_it_was(void **state)
{
    struct assay_event out[4];
    const struct assay_event program[4] = {
        {.kind = ASSAY_OP_MALLOC, .born = 1, .size = 100},
        {.kind = ASSAY_OP_FREE, .object = 1, .arg = 8, .flags = ASSAY_FLAG_MISUSE},
        {.kind = ASSAY_OP_FREE, .object = 1},
        {.kind = ASSAY_OP_FREE, .object = 1, .flags = ASSAY_FLAG_MISUSE},
    };
    const bool once[4] = {true, true, false, true}, late[4] = {true, false, true, true};
    (void)state;
    assert_int_equal(assay_minimise_repair(program, 4, NULL, out), 4);
    assert_int_equal(assay_minimise_repair(program, 4, once, out), 2);
    assert_int_equal(out[1].arg, 8);
    assert_int_equal(assay_minimise_repair(program, 4, late, out), 3);
    assert_int_equal(out[2].flags, ASSAY_FLAG_MISUSE);
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

/* ---- what shows at random ------------------------------------------------------------------- */

static struct assay_random chance;

/* A planted bug that shows the more often the more objects of calloc are resized: in 5 % of runs,
 * and in 20 % more for each of them up to four. */
static double rate_of(const struct assay_event *program, size_t n)
{
    static bool zeroed[ASSAY_PROGRAM_MAX_OPS + 1];
    unsigned resized = 0;
    for (size_t i = 0; i < n; i++) {
        const struct assay_event *op = &program[i];
        if (op->born)
            zeroed[op->born] = op->kind == ASSAY_OP_CALLOC;
        resized += op->kind == ASSAY_OP_REALLOC && op->object && zeroed[op->object];
    }
    return 0.05 + 0.2 * (resized < 4 ? resized : 4);
}

static bool flips(double rate)
{
    return (double)assay_random_below(&chance, 1000000) < rate * 1e6;
}

struct asked {
    double floor, wanted;
    unsigned left;
};

static bool keeps_its_rate(void *self, struct assay_event *program, size_t n, bool careful)
{
    struct asked *asked = self;
    uint64_t hits = 0;
    (void)careful;
    tests_made++;
    for (uint64_t trials = 1;; trials++) {
        hits += flips(rate_of(program, n));
        enum assay_decision decision =
            assay_shrink_decide(hits, trials, asked->floor, asked->wanted, asked->left);
        asked->left += decision == ASSAY_NEVER;
        if (decision != ASSAY_UNDECIDED)
            return decision == ASSAY_ALWAYS;
    }
}

/* By single hits a program would come down to what shows in 5 % of runs. */
static void what_shows_at_random_keeps_its_rate(void **state)
{
    unsigned tried = 0, below = 0;
    uint64_t total = 0;
    double least = 1;
    (void)state;
    assay_random_seed(&chance, 17);
    for (uint64_t index = 0; index < 400 && tried < 40; index++) {
        bool last;
        struct assay_minimised outcome;
        struct asked asked = {.wanted = 0.85, .floor = 0.85 / 2};
        const struct assay_minimise minimise = {
            .self = &asked, .test = keeps_its_rate, .always_careful = true};
        assay_generate_start(&generator, 5, index);
        size_t n = assay_generate_fill(&generator, ops, ASSAY_PROGRAM_MAX_OPS, &last);
        if (n < 100 || rate_of(ops, n) < 0.84)
            continue;
        size_t left = assay_minimise(ops, n, &minimise, &outcome);
        if (!outcome.shows)
            continue;
        double rate = rate_of(ops, left);
        tried++;
        below += rate < asked.floor;
        least = rate < least ? rate : least;
        assert_true(outcome.minimal);
        total += left;
    }
    assert_int_equal(tried, 40);
    print_message("%u programs, %llu ops left each, %u below the floor, least rate %.2f\n", tried,
                  (unsigned long long)total / tried, below, least);
    assert_int_equal(below, 0);
    assert_true(total / tried < 30);
}

static int set_up(void **state)
{
    (void)state;
    assay_program_limits_default(&limits);
    assay_generate_init(&generator, ASSAY_GENERATE_SWARM, &limits);
    return 0;
}

static void a_fork_leaves_each_its_objects(void **state)
{
    const struct assay_event forking[] = {
        {.kind = ASSAY_OP_MALLOC, .size = 8, .born = 1},
        {.kind = ASSAY_OP_FORK, .arg = 1},
        {.kind = ASSAY_OP_FREE, .object = 1, .process = 1},
        {.kind = ASSAY_OP_FREE, .object = 1},
    };
    const bool no_fork[] = {true, false, true, true};
    struct assay_event out[4];
    (void)state;
    assert_int_equal(assay_minimise_repair(forking, 4, NULL, out), 4);
    assert_int_equal(out[2].process, 1);
    assert_int_equal(assay_minimise_repair(forking, 4, no_fork, out),
                     2); /* the child is not there */
    assert_int_equal(out[1].process, 0);
}

/* Where memory ends no size tells that a resize is refused: that it was seen is kept with the op,
 * through repairs, until the end. */
static void refused_resizes_leave_what_they_were_asked_of(void **state)
{
    (void)state;
    const struct assay_event program[] = {
        {.kind = ASSAY_OP_MALLOC, .size = 40, .born = 1},
        {.kind = ASSAY_OP_LIMIT, .size = 4096},
        {.kind = ASSAY_OP_MALLOC, .size = 10, .born = 2},
        {.kind = ASSAY_OP_REALLOC, .size = 4000, .object = 1, .born = 3},
        {.kind = ASSAY_OP_FREE, .object = 1}};
    enum { N = sizeof program / sizeof *program };
    struct assay_event seen[N], marked[N], out[N], again[N];
    const bool keep[N] = {true, true, false, true, true};
    memcpy(seen, program, sizeof seen);
    memcpy(marked, program, sizeof marked);
    for (size_t i = 0; i < N; i++) {
        seen[i].flags = ASSAY_FLAG_EXECUTED;
        seen[i].address = i == 3 ? 0 : 4096 * (i + 1);
    }
    assert_int_equal(assay_minimise_repair(program, N, keep, out), 3); /* it is gone */
    assay_minimise_mark(marked, N, seen);
    assert_int_equal(assay_minimise_repair(marked, N, keep, out), 4);
    assert_int_equal(out[3].kind, ASSAY_OP_FREE);
    assert_int_equal(out[3].object, 1);
    assert_int_equal(assay_minimise_repair(out, 4, NULL, again), 4);
    assay_minimise_unmark(again, 4);
    assert_int_equal(assay_minimise_repair(again, 4, NULL, out), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_where_no_step_is_left),
        cmocka_unit_test(no_candidate_is_asked_about_twice),
        cmocka_unit_test(what_shows_at_random_keeps_its_rate),
        cmocka_unit_test(stops_when_time_is_up_with_what_it_has),
        cmocka_unit_test(what_is_not_needed_is_gone_at_once),
        cmocka_unit_test(what_does_not_show_is_left_alone),
        cmocka_unit_test(refused_resizes_leave_what_they_were_asked_of),
        cmocka_unit_test(a_misuse_stays_the_misuse_that_it_was),
        cmocka_unit_test(a_dropped_resize_lets_the_old_object_live_on),
        cmocka_unit_test(a_fork_leaves_each_its_objects),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

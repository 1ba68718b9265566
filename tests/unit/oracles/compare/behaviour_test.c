/* The acceptance test of the symbolic state: one injected reuse difference gives one difference, a
 * second independent one gives two, the same build twice gives none, under different address
 * layouts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "oracles/compare/behaviour.h"
#include "traces/core/random.h"

enum { OPS = 4000, OBJECTS = OPS + 1, CLASSES = 8 };

/* An allocator made of addresses only: LIFO lists per size class, a bump pointer beside them. */
struct build {
    uint64_t base; /* where its memory starts: address layout */
    uint64_t top;
    uint64_t freed[CLASSES][OBJECTS];
    size_t freed_count[CLASSES];
    uint64_t address[OBJECTS];
    uint64_t skip_at[2]; /* ops at which it takes the second of the list, UINT64_MAX = never */
    uint64_t fresh_at;   /* op at which it takes fresh memory though it need not */
    int32_t usable_extra[CLASSES];
    uint64_t null_at;
};

static struct build builds[2];
static struct assay_event program[OPS];

static unsigned class_of(uint64_t size)
{
    return (unsigned)((size + 15) / 16);
}

static void make_program(uint64_t seed)
{
    struct assay_random random;
    uint32_t live[OBJECTS];
    size_t live_count = 0;
    uint32_t born = 0;
    assay_random_seed(&random, seed);
    for (size_t i = 0; i < OPS; i++) {
        program[i] = (struct assay_event){.kind = ASSAY_OP_MALLOC};
        if (live_count > 8 && assay_random_below(&random, 100) < 48) {
            size_t at = assay_random_below(&random, live_count);
            program[i].kind = ASSAY_OP_FREE;
            program[i].object = live[at];
            live[at] = live[--live_count];
            continue;
        }
        program[i].size = 1 + assay_random_below(&random, 16 * (CLASSES - 1));
        program[i].born = ++born;
        live[live_count++] = born;
    }
}

static struct assay_event answer(struct build *build, uint64_t at)
{
    static uint64_t sizes[2][OBJECTS];
    uint64_t *size_of = sizes[build - builds];
    struct assay_event event = program[at];
    event.flags = ASSAY_FLAG_EXECUTED;
    if (event.kind == ASSAY_OP_FREE) {
        unsigned c = class_of(size_of[event.object]);
        if (!build->address[event.object])
            event.flags |= ASSAY_FLAG_SKIPPED;
        else
            build->freed[c][build->freed_count[c]++] = event.address = build->address[event.object];
        return event;
    }
    unsigned c = class_of(event.size);
    size_t *n = &build->freed_count[c];
    size_of[event.born] = event.size;
    event.flags |= ASSAY_FLAG_USABLE;
    event.usable_extra = (int32_t)(c * 16 - event.size) + build->usable_extra[c];
    if (at == build->null_at) {
        event.error = 12;
    } else if (*n == 0 || at == build->fresh_at) {
        event.address = build->base + build->top;
        build->top += c * 16 + 16;
    } else {
        size_t take = *n - 1;
        if (*n > 1 && (at == build->skip_at[0] || at == build->skip_at[1]))
            take--;
        event.address = build->freed[c][take];
        memmove(&build->freed[c][take], &build->freed[c][take + 1],
                (*n - 1 - take) * sizeof(uint64_t));
        --*n;
    }
    build->address[event.born] = event.address;
    return event;
}

static void start(void)
{
    memset(builds, 0, sizeof builds);
    builds[0].base = 0x555555560000;
    builds[1].base = 0x7f1234000000;
    for (int i = 0; i < 2; i++)
        builds[i].skip_at[0] = builds[i].skip_at[1] = builds[i].fresh_at = builds[i].null_at =
            UINT64_MAX;
}

static void print_difference(void *self, const struct assay_difference *difference)
{
    char text[400];
    (void)self;
    assay_difference_print(text, sizeof text, difference);
    print_message("  %s\n", text);
}

static struct assay_comparison_totals compare(const struct assay_comparison_options *options)
{
    struct assay_comparison *comparison = assay_comparison_create(options, print_difference, NULL);
    assert_non_null(comparison);
    for (uint64_t i = 0; i < OPS; i++) {
        struct assay_event a = answer(&builds[0], i), b = answer(&builds[1], i);
        assert_int_equal(assay_comparison_step(comparison, &a, &b, NULL), 0);
    }
    struct assay_comparison_totals totals = assay_comparison_totals(comparison);
    assay_comparison_free(comparison);
    return totals;
}

/* An op at or after `from` at which the skip really changes the choice: at least two freed ones of
 * its class. */
static uint64_t choice_after(uint64_t from)
{
    start();
    for (uint64_t i = 0; i < OPS; i++) {
        unsigned c = class_of(program[i].size);
        if (i >= from && program[i].kind == ASSAY_OP_MALLOC && builds[0].freed_count[c] > 1)
            return i;
        answer(&builds[0], i);
    }
    fail();
    return 0;
}

static const struct assay_comparison_options defaults;

static void the_same_build_twice_does_not_differ(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        make_program(seed);
        start();
        struct assay_comparison_totals totals = compare(&defaults);
        assert_int_equal(totals.fresh + totals.consequences, 0);
        assert_int_equal(totals.compared, OPS);
    }
}

static void one_reuse_difference_is_one_and_two_are_two(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        make_program(seed);
        uint64_t i = choice_after(OPS / 4), j = choice_after(OPS / 2);
        start();
        builds[1].skip_at[0] = i;
        assert_int_equal(compare(&defaults).fresh, 1);
        start();
        builds[1].skip_at[0] = i;
        builds[1].skip_at[1] = j;
        struct assay_comparison_totals totals = compare(&defaults);
        assert_int_equal(totals.fresh, 2);
        assert_int_equal(totals.incomparable, 0);
    }
}

static void a_difference_on_either_side_is_found_where_it_was_made(void **state)
{
    struct assay_comparison *comparison = assay_comparison_create(&defaults, NULL, NULL);
    const struct assay_difference_class *classes;
    size_t n;
    (void)state;
    make_program(7);
    uint64_t at = choice_after(OPS / 3);
    start();
    builds[0].skip_at[0] = at;
    for (uint64_t i = 0; i < OPS; i++) {
        struct assay_event a = answer(&builds[0], i), b = answer(&builds[1], i);
        assert_int_equal(assay_comparison_step(comparison, &a, &b, NULL), 0);
    }
    classes = assay_comparison_classes(comparison, &n);
    assert_true(n >= 1);
    assert_int_equal(classes[0].fresh, 1);
    assert_int_equal(classes[0].field, ASSAY_FIELD_PLACEMENT);
    assert_int_equal(classes[0].first.op_index, at);
    assert_int_equal(classes[0].first.a.kind, ASSAY_NAME_BASE);
    assay_comparison_free(comparison);
}

static void fresh_memory_instead_of_reuse_is_one_difference(void **state)
{
    (void)state;
    make_program(11);
    uint64_t at = choice_after(OPS / 2);
    start();
    builds[1].fresh_at = at;
    assert_int_equal(compare(&defaults).fresh, 1);
}

static void usable_size_refusal_and_ignored_fields(void **state)
{
    struct assay_comparison_options ignore = {.ignore = 1u << ASSAY_FIELD_USABLE};
    (void)state;
    make_program(3);
    start();
    builds[1].usable_extra[4] = 8;
    struct assay_comparison_totals totals = compare(&defaults);
    assert_int_equal(totals.fresh, 16); /* once for each request size of the class */
    assert_true(totals.consequences > 16);
    start();
    builds[1].usable_extra[4] = 8;
    totals = compare(&ignore);
    assert_int_equal(totals.fresh + totals.consequences, 0);
}

static void a_refusal_on_one_side_is_a_difference(void **state)
{
    (void)state;
    make_program(5);
    uint64_t at = choice_after(OPS - OPS / 4);
    start();
    builds[1].null_at = at;
    struct assay_comparison_totals totals = compare(&defaults);
    assert_true(totals.fresh >= 2); /* NULL, and errno */
    assert_true(totals.one_sided <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_build_twice_does_not_differ),
        cmocka_unit_test(one_reuse_difference_is_one_and_two_are_two),
        cmocka_unit_test(a_difference_on_either_side_is_found_where_it_was_made),
        cmocka_unit_test(fresh_memory_instead_of_reuse_is_one_difference),
        cmocka_unit_test(usable_size_refusal_and_ignored_fields),
        cmocka_unit_test(a_refusal_on_one_side_is_a_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

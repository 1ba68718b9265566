/* The list of directed programs: names are unique, builders repeat from the seed and come to an
 * end, numbers of objects are as a stream wants them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fuzzers/directed.h"

enum { STAGES_MAX = 4096 };

/* By how much each measure grows with each pass. */
static uint64_t leak[ASSAY_MEASURES];

/* An allocator that grants everything, at addresses of its own. */
static void answer(struct assay_directed *d, size_t from)
{
    for (size_t i = from; i < d->n; i++) {
        struct assay_event *event = &d->events[i];
        event->flags |= ASSAY_FLAG_EXECUTED;
        if (assay_event_bears(event))
            event->address =
                assay_event_refused(event) ? 0 : UINT64_C(0x100000000) + event->born * UINT64_C(64);
        if (event->kind == ASSAY_OP_MEASURE)
            event->value = leak[event->arg] * event->size;
    }
}

static void build(struct assay_directed *d, const struct assay_directed_info *info, size_t number,
                  const struct assay_profile *profile)
{
    assay_directed_begin(d, 42, number, 0, profile);
    for (; d->stage < STAGES_MAX; d->stage++) {
        size_t from = d->n;
        if (!info->build(d, info->argument))
            break;
        answer(d, from);
    }
    assert_in_range(d->stage, 0, STAGES_MAX - 1);
    assert_in_range(d->n, 0, ASSAY_DIRECTED_MAX_OPS);
}

static void programs_repeat_and_end(void **state)
{
    const struct assay_directed_info *rows;
    size_t count = assay_directed_list(&rows);
    struct assay_directed one = {0}, other = {0};
    struct assay_profile profile;
    (void)state;
    assay_profile_generic(&profile);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        uint32_t born = 0;
        build(&one, &rows[i], i, &profile);
        build(&other, &rows[i], i, &profile);
        assert_int_equal(one.n, other.n);
        if (one.n == 0) {
            assert_non_null(one.reason);
            continue;
        }
        assert_memory_equal(one.events, other.events, one.n * sizeof *one.events);
        for (size_t k = 0; k < one.n; k++) {
            const struct assay_event *op = &one.events[k];
            assert_in_range(op->object, 0, born);
            if (assay_event_bears(op) && op->born)
                assert_int_equal(op->born, ++born);
        }
        assert_int_equal(born, one.objects);
    }
    assay_directed_free(&one);
    assay_directed_free(&other);
}

static void names_are_unique(void **state)
{
    const struct assay_directed_info *rows;
    size_t count = assay_directed_list(&rows);
    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(rows[i].name, rows[k].name);
}

/* How many passes are measured; all of them have numbers for their objects. */
static uint64_t passes_of(const char *name)
{
    const struct assay_directed_info *rows;
    size_t count = assay_directed_list(&rows), i = 0;
    struct assay_directed d = {0};
    struct assay_profile profile;
    assay_profile_generic(&profile);
    while (i < count && strcmp(rows[i].name, name) != 0)
        i++;
    assert_in_range(i, 0, count - 1);
    build(&d, &rows[i], i, &profile);
    assert_in_range(d.objects, 1, ASSAY_DIRECTED_MAX_OBJECTS);
    assert_int_equal(d.events[d.n - 1].kind, ASSAY_OP_MEASURE);
    uint64_t passes = d.events[d.n - 1].size;
    assay_directed_free(&d);
    return passes;
}

static void races_go_on_where_anything_grows(void **state)
{
    static const uint64_t grows[ASSAY_MEASURES] = {[ASSAY_MEASURE_RESIDENT] = 1024,
                                                   [ASSAY_MEASURE_MAPPINGS] = 1,
                                                   [ASSAY_MEASURE_SPACE] = 4096};
    static const char *const names[] = {"races_lost", "races_lost_many", "races_lost_together"};
    enum { THREADS_OF_PASS = 3, ENOUGH_THREADS = 8192 };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t still = passes_of(names[i]);
        for (unsigned what = 0; what < ASSAY_MEASURES; what++) {
            leak[what] = grows[what];
            assert_true(passes_of(names[i]) > still);
            leak[what] = 0;
        }
    }
    leak[ASSAY_MEASURE_MAPPINGS] = 1;
    assert_true(passes_of("races_lost_together") * THREADS_OF_PASS >= ENOUGH_THREADS);
    leak[ASSAY_MEASURE_MAPPINGS] = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_repeat_and_end),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(races_go_on_where_anything_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

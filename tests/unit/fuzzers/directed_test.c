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

/* An allocator that grants everything, at addresses of its own. */
static void answer(struct assay_directed *d, size_t from)
{
    for (size_t i = from; i < d->n; i++) {
        struct assay_event *event = &d->events[i];
        event->flags |= ASSAY_FLAG_EXECUTED;
        if (assay_event_bears(event))
            event->address =
                assay_event_refused(event) ? 0 : UINT64_C(0x100000000) + event->born * UINT64_C(64);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_repeat_and_end),
        cmocka_unit_test(names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

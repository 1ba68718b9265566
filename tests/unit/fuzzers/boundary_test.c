/* Boundary values: what the answers of made-up allocators say of their classes, and that what must
 * be refused must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fuzzers/directed/boundary.h"
#include "traces/event.h"

/* Four classes to each doubling. */
static uint64_t class_of(uint64_t size)
{
    uint64_t step = 16;
    while (size > 8 * step)
        step *= 2;
    return (size + step - 1) / step * step;
}

static void the_grid_rises(void **state)
{
    uint64_t sizes[ASSAY_BOUNDARY_GRID];
    (void)state;
    size_t n = assay_boundary_grid(sizes, 16, ASSAY_BOUNDARY_LARGEST);
    assert_in_range(n, 200, ASSAY_BOUNDARY_GRID);
    for (size_t i = 1; i < n; i++)
        assert_true(sizes[i] > sizes[i - 1]);
    assert_int_equal(sizes[n - 1], ASSAY_BOUNDARY_LARGEST);
}

static void usable_sizes_tell_edges(void **state)
{
    struct assay_boundary_answer answers[ASSAY_BOUNDARY_GRID];
    uint64_t sizes[ASSAY_BOUNDARY_GRID], edges[ASSAY_BOUNDARY_EDGES];
    (void)state;
    size_t n = assay_boundary_grid(sizes, 16, 65536), found = 0;
    for (size_t i = 0; i < n; i++)
        answers[i] = (struct assay_boundary_answer){sizes[i], class_of(sizes[i])};
    assert_true(assay_boundary_tells(answers, n));
    size_t count = assay_boundary_by_usable(answers, n, edges);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(class_of(edges[i]), edges[i]);
        assert_true(i == 0 || edges[i] > edges[i - 1]);
        found += edges[i] == 3584 || edges[i] == 14336 || edges[i] == 112;
    }
    assert_int_equal(found, 3);
    for (size_t i = 0; i < n; i++)
        answers[i].key = sizes[i]; /* exactly what was asked for */
    assert_false(assay_boundary_tells(answers, n));
}

static void strides_tell_edges(void **state)
{
    struct assay_boundary_answer answers[4096];
    uint64_t sizes[ASSAY_BOUNDARY_GRID], edges[ASSAY_BOUNDARY_EDGES];
    size_t n = assay_boundary_grid(sizes, 8, 16384), count = 0, edge_count = 0, rounds = 0;
    (void)state;
    for (; n > 0 && rounds < 20; rounds++) {
        for (size_t i = 0; i < n; i++) {
            size_t at = count++;
            for (; at > 0 && answers[at - 1].size > sizes[i]; at--)
                answers[at] = answers[at - 1];
            answers[at] = (struct assay_boundary_answer){sizes[i], class_of(sizes[i])};
        }
        n = assay_boundary_bisect(answers, count, sizes, ASSAY_BOUNDARY_GRID, edges, &edge_count);
    }
    assert_in_range(rounds, 2, 16);
    assert_in_range(edge_count, 25, 40);
    for (size_t i = 0; i < edge_count; i++)
        assert_int_equal(class_of(edges[i]), edges[i]);
}

static void strides_of_shuffled_slots(void **state)
{
    const uint64_t slots[] = {7, 3, 12, 4, 31, 9}, sorted[] = {1, 2, 3}, far[] = {1, 1 << 20, 2};
    uint64_t addresses[6];
    (void)state;
    for (int i = 0; i < 6; i++)
        addresses[i] = 0x7f0000000000 + slots[i] * 3584;
    assert_int_equal(assay_boundary_stride(addresses, 6), 3584);
    for (int i = 0; i < 3; i++)
        addresses[i] = 0x7f0000000000 + sorted[i] * 64;
    assert_int_equal(assay_boundary_stride(addresses, 3), 0); /* too few */
    for (int i = 0; i < 3; i++)
        addresses[i] = 0x7f0000000000 + far[i] * 4096;
    assert_int_equal(assay_boundary_stride(addresses, 3), 0);
}

static void thinning_keeps_both_ends(void **state)
{
    uint64_t sizes[300];
    (void)state;
    for (uint64_t i = 0; i < 300; i++)
        sizes[i] = i + 1;
    assert_int_equal(assay_boundary_thin(sizes, 300, 96), 96);
    assert_int_equal(sizes[0], 1);
    assert_int_equal(sizes[95], 300);
    assert_int_equal(assay_boundary_thin(sizes, 10, 96), 10);
}

static void what_is_beyond_must_be_refused(void **state)
{
    size_t n = 0, near_end = 0, near_middle = 0;
    (void)state;
    for (uint64_t size; assay_boundary_beyond(n, &size); n++) {
        const struct assay_event op = {.kind = ASSAY_OP_MALLOC, .size = size};
        assert_true(assay_event_refused(&op));
        near_end += size >= UINT64_MAX - 4096;
        near_middle += size + 2 > INT64_MAX && size < (uint64_t)INT64_MAX + 3;
    }
    assert_int_equal(near_end, 4097);
    assert_int_equal(near_middle, 4);
    uint64_t count, element;
    size_t low = 0;
    for (n = 0; assay_boundary_product(n, &count, &element); n++) {
        const struct assay_event op = {.kind = ASSAY_OP_CALLOC, .size = element, .arg = count};
        assert_true(assay_event_refused(&op));
        low += (uint32_t)count * (uint32_t)element <= 1 << 20;
    }
    assert_in_range(n, 100, 200);
    assert_true(low > 60);
    for (n = 0; assay_boundary_bad_alignment(n, &element); n++) {
        const struct assay_event op = {.kind = ASSAY_OP_POSIX_MEMALIGN, .size = 8, .arg = element};
        assert_true(assay_event_refused(&op));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grid_rises),
        cmocka_unit_test(usable_sizes_tell_edges),
        cmocka_unit_test(strides_tell_edges),
        cmocka_unit_test(strides_of_shuffled_slots),
        cmocka_unit_test(thinning_keeps_both_ends),
        cmocka_unit_test(what_is_beyond_must_be_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

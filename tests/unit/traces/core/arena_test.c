/* The arena: aligned, zero-filled, bounded, guarded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "traces/core/arena.h"

static void takes_are_aligned_zeroed_and_bounded(void **state)
{
    struct assay_arena arena;
    struct assay_error err;
    (void)state;
    assert_int_equal(assay_arena_create(&arena, 100000, &err), 0);
    char *a = assay_arena_take(&arena, 3, 1);
    char *b = assay_arena_take(&arena, 100, 64);
    assert_non_null(a);
    assert_int_equal((uintptr_t)b % 64, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(b[i], 0);
    assert_null(assay_arena_take(&arena, arena.capacity, 1));
    assert_null(assay_arena_take(&arena, SIZE_MAX, 1));
    assay_arena_destroy(&arena);
}

static void touches_knows_the_guards(void **state)
{
    struct assay_arena arena;
    (void)state;
    assert_int_equal(assay_arena_create(&arena, 4096, NULL), 0);
    assert_true(assay_arena_touches(&arena, arena.base, 1));
    assert_true(assay_arena_touches(&arena, arena.base - 1, 1));
    assert_true(assay_arena_touches(&arena, arena.base + arena.capacity, 1));
    assert_true(assay_arena_touches(&arena, arena.base - 70000, 140000));
    assert_false(assay_arena_touches(&arena, arena.base - 70000, 8));
    assay_arena_destroy(&arena);
}

static void creation_fails_with_a_reason(void **state)
{
    struct assay_arena arena;
    struct assay_error err = {0};
    (void)state;
    assert_true(assay_arena_create(&arena, SIZE_MAX / 4, &err) < 0);
    assert_non_null(err.text);
    assert_true(err.text[0] == 'c');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_are_aligned_zeroed_and_bounded),
        cmocka_unit_test(touches_knows_the_guards),
        cmocka_unit_test(creation_fails_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

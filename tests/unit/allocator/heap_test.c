/* Heap instances: independent, deterministic, reset at a bounded cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <sys/resource.h>

#include "allocator/bulwark.h"

static struct bw_heap *make(uint64_t seed)
{
    struct bw_heap *heap = bw_heap_create(&(struct bw_config){.seed = seed, .deterministic = true});
    assert_non_null(heap);
    return heap;
}

/* A fixed program; addresses of small objects relative to the first of their class. */
enum { STEPS = 3000, LIVE = 64 };

static void run(struct bw_heap *heap, uintptr_t ret_trace[STEPS])
{
    static const size_t sizes[] = {16, 100, 1000, 20000};
    uintptr_t first[4] = {0};
    void *live[LIVE] = {NULL};
    uint32_t x = 12345;
    for (int i = 0; i < STEPS; i++) {
        x = x * 1664525 + 1013904223;
        uint32_t slot = x >> 16 & (LIVE - 1), kind = x >> 24 & 3;
        bw_free(heap, live[slot]);
        live[slot] = bw_malloc(heap, sizes[kind]);
        assert_non_null(live[slot]);
        memset(live[slot], 1, sizes[kind]);
        if (first[kind] == 0)
            first[kind] = (uintptr_t)live[slot];
        ret_trace[i] = (uintptr_t)live[slot] - first[kind];
    }
}

static uintptr_t a[STEPS], b[STEPS];

static void same_seed_same_choices_in_two_heaps(void **state)
{
    (void)state;
    struct bw_heap *one = make(7), *two = make(7), *other = make(8);
    run(one, a);
    run(two, b);
    assert_memory_equal(a, b, sizeof a);
    run(other, b);
    assert_memory_not_equal(a, b, sizeof a);
    bw_heap_destroy(one);
    bw_heap_destroy(two);
    bw_heap_destroy(other);
}

static void reset_starts_the_stream_again(void **state)
{
    (void)state;
    struct bw_heap *heap = make(7);
    run(heap, a);
    for (int i = 0; i < 20; i++) {
        bw_heap_reset(heap, (uint64_t)i);
        run(heap, b);
        assert_int_equal(memcmp(a, b, sizeof a) == 0, i == 7);
        const char *reason = "";
        assert_true(bw_heap_check(heap, &reason));
    }
    bw_heap_destroy(heap);
}

static void undetermined_heaps_differ(void **state)
{
    (void)state;
    struct bw_heap *one = bw_heap_create(&(struct bw_config){.seed = 7});
    struct bw_heap *two = bw_heap_create(&(struct bw_config){.seed = 7});
    run(one, a);
    run(two, b);
    assert_memory_not_equal(a, b, sizeof a);
    bw_heap_destroy(one);
    bw_heap_destroy(two);
}

static void a_reset_heap_forgets_damage(void **state)
{
    (void)state;
    struct bw_heap *heap = make(1);
    const char *reason = "";
    for (size_t size = 10; size < 200000; size = size * 3) {
        bw_heap_reset(heap, 1);
        uint8_t *p = bw_malloc(heap, size), *q = bw_malloc(heap, size);
        bw_free(heap, q);
        if (size <= 100000) /* a large object is not readable once it is freed */
            q[size / 2] = 1;
        p[size] = 1;
        assert_false(bw_heap_check(heap, &reason));
        bw_heap_reset(heap, 1);
        assert_true(bw_heap_check(heap, &reason));
        for (int i = 0; i < 300; i++)
            bw_free(heap, bw_calloc(heap, 1, size));
        assert_true(bw_heap_check(heap, &reason));
    }
    bw_heap_destroy(heap);
}

static long faults(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static void reset_touches_only_what_was_used(void **state)
{
    (void)state;
    struct bw_heap *heap = make(1);
    run(heap, a);
    bw_heap_reset(heap, 2); /* the code and the stack of a reset are mapped in by now */
    long before = faults();
    for (int i = 0; i < 100; i++) {
        bw_free(heap, bw_malloc(heap, 100));
        bw_heap_reset(heap, 2);
    }
    /* Every page of the class used has been there since the first run. */
    assert_in_range(faults() - before, 0, 10);
    bw_heap_destroy(heap);
}

static void what_a_big_program_used_is_given_back(void **state)
{
    (void)state;
    struct bw_heap *heap = make(1);
    enum { COUNT = 20000 };
    for (int i = 0; i < COUNT; i++)
        memset(bw_malloc(heap, 1000), 1, 1000);
    uint8_t *p = bw_malloc(heap, 1000);
    bw_heap_reset(heap, 2);
    /* Only the pages that are used again come back. */
    long before = faults();
    for (int i = 0; i < 10; i++)
        memset(bw_malloc(heap, 1000), 1, 1000);
    assert_in_range(faults() - before, 1, 40);
    assert_int_equal(p[0], 0);
    bw_heap_destroy(heap);
}

static void many_heaps_at_once(void **state)
{
    (void)state;
    enum { HEAPS = 8 };
    struct bw_heap *heaps[HEAPS];
    uint8_t *objects[HEAPS];
    for (int i = 0; i < HEAPS; i++) {
        heaps[i] = make((uint64_t)i);
        objects[i] = bw_malloc(heaps[i], 100);
        memset(objects[i], i, 100);
    }
    for (int i = 0; i < HEAPS; i++) {
        assert_int_equal(objects[i][99], i);
        if (i % 2 == 0)
            bw_heap_destroy(heaps[i]);
    }
    for (int i = 1; i < HEAPS; i += 2) {
        bw_free(heaps[i], objects[i]);
        bw_heap_destroy(heaps[i]);
    }
    bw_heap_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_choices_in_two_heaps),
        cmocka_unit_test(reset_starts_the_stream_again),
        cmocka_unit_test(undetermined_heaps_differ),
        cmocka_unit_test(a_reset_heap_forgets_damage),
        cmocka_unit_test(reset_touches_only_what_was_used),
        cmocka_unit_test(what_a_big_program_used_is_given_back),
        cmocka_unit_test(many_heaps_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

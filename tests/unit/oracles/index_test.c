/* The address index: against a naive list of intervals, and where granules are shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "oracles/model/model.h"
#include "traces/core/random.h"

enum { OBJECTS = 200000, LIVE = 4096 };

static struct assay_arena arena;
static struct assay_model model;

static int setup(void **state)
{
    (void)state;
    if (assay_arena_create(&arena, assay_model_bytes(OBJECTS, LIVE), NULL) != 0)
        return -1;
    return assay_model_create(&model, &arena, OBJECTS, LIVE) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    assay_arena_destroy(&arena);
    return 0;
}

static struct assay_index_conflict put(uint32_t number, uint64_t address, uint64_t bytes,
                                       int32_t extra)
{
    struct assay_index_conflict conflict;
    struct assay_object *object = &model.objects[number];
    *object =
        (struct assay_object){.address = address,
                              .usable_extra = extra,
                              .flags = ASSAY_OBJECT_USABLE_KNOWN | ASSAY_OBJECT_EXTENT_USABLE};
    object->requested = bytes & UINT64_C(0xffffffffffff);
    assay_model_bear(&model, number, &conflict);
    return conflict;
}

static void drop(uint32_t number)
{
    assay_model_end(&model, number, ASSAY_OBJECT_FREED);
}

static void two_objects_in_one_granule(void **state)
{
    (void)state;
    assert_int_equal(put(1, 0x1000, 8, 0).requested, 0);
    assert_int_equal(put(2, 0x1008, 8, 0).requested, 0);
    assert_int_equal(put(3, 0x1004, 8, 0).requested != 0, 1);
    drop(3);
    drop(1);
    assert_int_equal(put(4, 0x1000, 8, 0).requested, 0);
    assert_int_equal(put(5, 0x100c, 1, 0).requested, 2);
    drop(5);
    for (uint32_t i = 6; i < 20000; i++) { /* shared lists do not grow */
        drop(2);
        assert_int_equal(put(i, 0x1008, 8, 0).requested, 0);
        drop(i);
        assert_int_equal(put(2, 0x1008, 8, 0).requested, 0);
    }
    assert_false(model.index.overflowed);
    assert_true(model.index.node_used < 16);
}

static void objects_across_chunks(void **state)
{
    (void)state;
    uint64_t edge = UINT64_C(5) << ASSAY_INDEX_CHUNK_SHIFT;
    assert_int_equal(put(1, edge - 40, 100, 0).requested, 0);
    assert_int_equal(put(2, edge + 60, 10, 0).requested, 0);
    assert_int_equal(put(3, edge + 59, 1, 0).requested, 1);
    assert_int_equal(put(4, edge - 41, 1, 0).requested, 0);
}

static void usable_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(put(1, 0x2000, 20, 12).usable, 0);
    struct assay_index_conflict conflict = put(2, 0x2010, 16, 0);
    assert_int_equal(conflict.requested, 1);
    drop(2);
    conflict = put(3, 0x2018, 8, 0);
    assert_int_equal(conflict.requested, 0);
    assert_int_equal(conflict.usable, 1);
}

static void large_and_small(void **state)
{
    (void)state;
    assert_int_equal(put(1, 0x1000000, 1 << 20, 0).requested, 0);
    assert_int_equal(put(2, 0x1080000, 64, 0).requested, 1);
    drop(2);
    drop(1);
    assert_int_equal(put(3, 0x1080000, 64, 0).requested, 0);
    assert_int_equal(put(4, 0x1000000, 1 << 20, 0).requested, 3);
    drop(3);
    drop(4);
    assert_int_equal(put(5, 0x1000000, 1 << 20, 0).requested, 0);
    assert_int_equal(put(6, 0x1100000, UINT64_C(1) << 40, 0).requested, 0);
    assert_int_equal(put(7, 0x2000000, 40000, 0).requested, 6);
    assert_int_equal(put(8, UINT64_MAX - 3, 100, 0).requested, 0);
    assert_int_equal(put(9, UINT64_MAX - 1, 1, 0).requested, 8);
}

static void occupants_are_remembered(void **state)
{
    (void)state;
    put(1, 0x3000, 64, 0);
    assert_int_equal(assay_index_occupant(&model.index, model.objects, 0x3010), 1);
    drop(1);
    assert_int_equal(assay_index_occupant(&model.index, model.objects, 0x3010), 1);
    put(2, 0x3000, 16, 0);
    assert_int_equal(assay_index_occupant(&model.index, model.objects, 0x3008), 2);
    assert_int_equal(assay_index_occupant(&model.index, model.objects, 0x3020), 1);
    assert_int_equal(assay_index_occupant(&model.index, model.objects, 0x3040), 0);
    put(3, 0x500000, 100000, 0);
    drop(3);
    assert_int_equal(assay_index_occupant(&model.index, model.objects, 0x500000 + 99999), 3);
    assay_model_reset(&model);
    assert_int_equal(assay_index_occupant(&model.index, model.objects, 0x3010), 0);
    assert_int_equal(assay_index_occupant(&model.index, model.objects, 0x500000), 0);
}

/* The oracle of the oracle: a plain list of live intervals. */
struct naive {
    uint32_t numbers[LIVE];
    unsigned count;
};

static bool overlaps(const struct assay_object *a, const struct assay_object *b, bool usable)
{
    uint64_t a_bytes = assay_object_span(a), b_bytes = assay_object_span(b);
    if (usable) {
        a_bytes = a->usable_extra > 0 ? assay_object_usable(a) : a_bytes;
        b_bytes = b->usable_extra > 0 ? assay_object_usable(b) : b_bytes;
    }
    return a->address < b->address + b_bytes && b->address < a->address + a_bytes;
}

static void against_a_naive_list(uint64_t seed, unsigned steps, uint64_t unit, uint64_t span,
                                 unsigned live_max)
{
    static struct naive naive;
    struct assay_random random;
    uint32_t next = 1;
    unsigned collisions = 0;
    assay_random_seed(&random, seed);
    naive.count = 0;
    for (unsigned step = 0; step < steps; step++) {
        bool full = naive.count >= live_max;
        if (naive.count > 0 && (full || assay_random_below(&random, 100) < 45)) {
            unsigned at = (unsigned)assay_random_below(&random, naive.count);
            drop(naive.numbers[at]);
            naive.numbers[at] = naive.numbers[--naive.count];
            continue;
        }
        uint64_t bytes = assay_random_below(&random, 64);
        uint64_t sort = assay_random_below(&random, 100);
        if (sort < 10)
            bytes = assay_random_below(&random, 5000);
        if (sort < 3)
            bytes = assay_random_below(&random, 300000);
        uint64_t address = 0x7f0000000000 + assay_random_below(&random, span) * unit;
        int32_t extra = (int32_t)assay_random_below(&random, 24);
        uint32_t number = next++;
        struct assay_index_conflict conflict = put(number, address, bytes, extra);
        bool requested = false, usable = false;
        for (unsigned i = 0; i < naive.count; i++) {
            const struct assay_object *other = &model.objects[naive.numbers[i]];
            requested |= overlaps(&model.objects[number], other, false);
            usable |= overlaps(&model.objects[number], other, true);
        }
        if (conflict.requested)
            assert_true(
                overlaps(&model.objects[number], &model.objects[conflict.requested], false));
        if (conflict.usable)
            assert_true(overlaps(&model.objects[number], &model.objects[conflict.usable], true));
        if ((conflict.requested != 0) != requested ||
            ((conflict.requested | conflict.usable) != 0) != usable)
            fail_msg("seed %lu step %u: object %u, %lu bytes: index says %u/%u, the list %d/%d",
                     (unsigned long)seed, step, number, (unsigned long)bytes, conflict.requested,
                     conflict.usable, requested, usable);
        if (!requested) {
            naive.numbers[naive.count++] = number;
            continue;
        }
        collisions++;
        if (assay_random_below(&random, 4) == 0 && collisions % 64 < 32)
            naive.numbers[naive.count++] = number; /* overlapping objects live on for a while */
        else
            drop(number);
    }
    assert_true(collisions > steps / 1000);
    assert_false(model.index.overflowed);
    assay_model_reset(&model);
}

static void random_streams_agree_with_a_naive_list(void **state)
{
    (void)state;
    against_a_naive_list(1, 50000, 16, 200000, 400);
    against_a_naive_list(2, 50000, 8, 60000, 300);
    against_a_naive_list(3, 50000, 1, 2000000, 300);
    against_a_naive_list(4, 20000, 4096, 100000, 1000);
    for (uint64_t seed = 5; seed < 60; seed++)
        against_a_naive_list(seed, 1000, 16, 4000, 100);
}

static void many_chunks_are_recycled(void **state)
{
    (void)state;
    uint32_t number = 1;
    for (uint64_t i = 0; i < 3 * (uint64_t)model.index.chunk_capacity; i++, number++) {
        assert_int_equal(put(number, i << ASSAY_INDEX_CHUNK_SHIFT, 40, 0).requested, 0);
        if (i >= 8)
            drop(number - 8);
    }
    for (uint32_t i = number - 8; i < number; i++) {
        struct assay_object *object = &model.objects[i];
        assert_int_equal(put(number + i, object->address + 39, 1, 0).requested, i);
        drop(number + i);
    }
    assert_false(model.index.overflowed);
}

static void numbers_wrap_after_many_resets(void **state)
{
    (void)state;
    put(1, 0x9000, 64, 0);
    model.index.base = UINT32_C(0x7fffffff) - OBJECTS - 2; /* as after years of programs */
    assay_model_reset(&model);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(put(OBJECTS, 0x9000, 64, 0).requested, 0);
        assert_int_equal(put(1, 0x9030, 64, 0).requested, OBJECTS);
        assay_model_reset(&model);
    }
    assert_true(model.index.base < UINT32_C(0x7fffffff) - OBJECTS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_objects_in_one_granule), TEST(objects_across_chunks),
        TEST(usable_is_told_apart),       TEST(large_and_small),
        TEST(occupants_are_remembered),   TEST(random_streams_agree_with_a_naive_list),
        TEST(many_chunks_are_recycled),   TEST(numbers_wrap_after_many_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

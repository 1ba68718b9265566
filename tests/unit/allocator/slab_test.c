/* Slabs: where slots stand, how they are chosen, what a full class does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "allocator/bulwark.h"
#include "allocator/pages.h"
#include "allocator/slab.h"
#include "allocator/slot.h"

static struct bw_heap *heap;

static int make(void **state)
{
    (void)state;
    heap = bw_heap_create(&(struct bw_config){.seed = 3, .deterministic = true});
    return heap == NULL;
}

static int drop(void **state)
{
    (void)state;
    bw_heap_destroy(heap);
    return 0;
}

static void every_class_fills_several_slabs_without_overlap(void **state)
{
    (void)state;
    for (unsigned index = 0; index < BW_CLASS_COUNT; index++) {
        const struct bw_class *class = &heap->classes[index];
        size_t size = index == 0 ? 0 : class->size - 1;
        uint32_t count = 3 * class->slots + 1;
        uint8_t *objects[3 * BW_SLAB_SLOTS_MAX + 1];
        bw_heap_reset(heap, index);
        for (uint32_t i = 0; i < count; i++) {
            objects[i] = bw_slot_alloc(heap, index, size);
            assert_non_null(objects[i]);
            memset(objects[i], (int)i, size);
        }
        for (uint32_t i = 0; i < count; i++) {
            size_t from_base = (size_t)(objects[i] - class->base);
            assert_in_range(from_base % class->stride, 0, class->slab_bytes - class->size);
            assert_int_equal(from_base % class->stride % class->size, 0);
            assert_int_equal(bw_slot_size(heap, objects[i], BW_INTENT_ASK), size);
            for (size_t at = 0; at < size; at += size / 8 + 1)
                assert_int_equal(objects[i][at], (uint8_t)i);
        }
        assert_int_equal(class->carved, 4);
        const char *reason = "";
        assert_true(bw_slab_check(heap, &heap->classes[index], &reason));
        for (uint32_t i = 0; i < count; i++)
            bw_slot_free(heap, objects[i]);
        assert_true(bw_slab_check(heap, &heap->classes[index], &reason));
    }
}

static void the_reciprocals_divide_exactly(void **state)
{
    (void)state;
    for (unsigned index = 1; index < BW_CLASS_COUNT; index++) {
        const struct bw_class *class = &heap->classes[index];
        size_t region = (size_t) class->slab_max * class->stride;
        for (size_t n = 0; n < 20000; n++) {
            size_t offset = (n % 2 == 0 ? n * class->stride / 2 : n * 0x9e3779b97f4a7c15u) % region;
            assert_int_equal((offset >> 12) * class->stride_reciprocal >> 32,
                             (offset >> 12) / (class->stride >> 12));
        }
        for (uint32_t rest = 0; rest < class->stride; rest += 16)
            assert_int_equal((rest >> 4) * class->slot_reciprocal >> 32, rest / class->size);
    }
}

/* Over many heaps, each slot of the first slab is handed out first about equally often. */
static void the_first_slot_is_any_slot(void **state)
{
    enum { TRIALS = 25600 };
    (void)state;
    unsigned index = bw_class_for(10, 1), counts[BW_SLAB_SLOTS_MAX] = {0};
    const struct bw_class *class = &heap->classes[index];
    assert_int_equal(class->slots, 256);
    for (uint64_t seed = 0; seed < TRIALS; seed++) {
        bw_heap_reset(heap, seed);
        counts[(size_t)((uint8_t *)bw_malloc(heap, 10) - class->base) / class->size]++;
    }
    for (uint32_t slot = 0; slot < class->slots; slot++)
        assert_in_range(counts[slot], 40, 160); /* 100 expected, standard deviation 10 */
}

/* Random throughout, not only in where it starts: the neighbour is not the likely next one. */
static void the_next_slot_is_not_the_neighbour(void **state)
{
    (void)state;
    const struct bw_class *class = &heap->classes[bw_class_for(10, 1)];
    bw_heap_reset(heap, 1);
    uint8_t *last = bw_malloc(heap, 10);
    unsigned neighbours = 0;
    for (uint32_t i = 1; i < 200; i++) {
        uint8_t *next = bw_malloc(heap, 10);
        neighbours += next == last + class->size;
        last = next;
    }
    assert_in_range(neighbours, 0, 15);
}

static void a_freed_slot_waits_before_it_returns(void **state)
{
    (void)state;
    unsigned immediate = 0, waits = 0;
    bw_heap_reset(heap, 1);
    for (int trial = 0; trial < 200; trial++) {
        void *p = bw_malloc(heap, 30);
        bw_free(heap, p);
        unsigned wait = 0;
        for (void *q = NULL; q != p; wait++) {
            q = bw_malloc(heap, 30);
            immediate += wait == 0 && q == p;
            bw_free(heap, q);
        }
        waits += wait;
    }
    assert_int_equal(immediate, 0);
    assert_true(waits / 200 > 64);
}

static bool readable(const void *p)
{
    /* The kernel reads one byte: EFAULT where it cannot be read. */
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    bool can = write(ends[1], p, 1) == 1;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return can;
}

static void guards_stand_behind_each_slab(void **state)
{
    (void)state;
    for (unsigned index = 1; index < BW_CLASS_COUNT; index++) {
        const struct bw_class *class = &heap->classes[index];
        bw_heap_reset(heap, index);
        assert_non_null(bw_slot_alloc(heap, index, 1));
        assert_true(readable(class->base));
        assert_true(readable(class->base + class->slab_bytes - 1));
        assert_false(readable(class->base + class->slab_bytes));
        assert_false(readable(class->base - 1));
    }
    /* They outlive the return of memory to the system. */
    const struct bw_class *class = &heap->classes[1];
    bw_heap_reset(heap, 1);
    enum { COUNT = 100000 };
    static void *objects[COUNT];
    for (int i = 0; i < COUNT; i++)
        objects[i] = bw_malloc(heap, 8);
    for (int i = 0; i < COUNT; i++)
        bw_free(heap, objects[i]);
    bw_malloc_trim(heap, 0);
    for (uint32_t i = 0; i < class->carved; i++)
        assert_false(readable(class->base + (size_t)i * class->stride + class->slab_bytes));
}

static void a_full_class_spills_into_the_next(void **state)
{
    (void)state;
    unsigned index = bw_class_for(100, 1);
    struct bw_class *class = &heap->classes[index];
    bw_heap_reset(heap, 1);
    uint32_t slab_max = class->slab_max;
    class->slab_max = 1;
    void *objects[2 * BW_SLAB_SLOTS_MAX];
    for (uint32_t i = 0; i < class->slots + 10; i++) {
        objects[i] = bw_malloc(heap, 100);
        assert_non_null(objects[i]);
        memset(objects[i], 1, 100);
        assert_int_equal(bw_malloc_usable_size(heap, objects[i]), 100);
    }
    assert_null(bw_slot_alloc(heap, index, 100));
    assert_int_equal(heap->classes[index + 1].carved, 1);
    void *aligned = bw_aligned_alloc(heap, 16, 100);
    bw_free_aligned_sized(heap, aligned, 16, 100);
    for (uint32_t i = 0; i < class->slots + 10; i++)
        bw_free_sized(heap, objects[i], 100);
    class->slab_max = slab_max;
}

static void empty_slabs_go_back_and_come_again(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static uint8_t *objects[COUNT];
    unsigned index = bw_class_for(2000, 1);
    struct bw_class *class = &heap->classes[index];
    bw_heap_reset(heap, 1);
    uint32_t carved = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < COUNT; i++) {
            objects[i] = bw_calloc(heap, 1, 2000);
            for (size_t at = 0; at < 2000; at += 100)
                assert_int_equal(objects[i][at], 0);
            memset(objects[i], 0xee, 2000);
        }
        if (round == 0)
            carved = class->carved;
        for (int i = 0; i < COUNT; i++)
            bw_free(heap, objects[i]);
        assert_true(class->lists[BW_LIST_PURGED] != 0);
    }
    /* Identical passes add nothing beyond what the quarantine keeps apart. */
    assert_in_range(class->carved, carved, carved + 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_fills_several_slabs_without_overlap),
        cmocka_unit_test(the_reciprocals_divide_exactly),
        cmocka_unit_test(the_first_slot_is_any_slot),
        cmocka_unit_test(the_next_slot_is_not_the_neighbour),
        cmocka_unit_test(a_freed_slot_waits_before_it_returns),
        cmocka_unit_test(guards_stand_behind_each_slab),
        cmocka_unit_test(a_full_class_spills_into_the_next),
        cmocka_unit_test(empty_slabs_go_back_and_come_again),
    };
    return cmocka_run_group_tests(tests, make, drop);
}

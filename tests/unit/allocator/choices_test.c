/* A heap whose random choices are given: lists, replay, and a search through all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "allocator/bulwark.h"
#include "allocator/pages.h"

static struct bw_heap *make(struct bw_choices *choices, uint64_t seed)
{
    struct bw_heap *heap = bw_heap_create(&(struct bw_config){.seed = seed, .choices = choices});
    assert_non_null(heap);
    return heap;
}

/* ---- lists and replay ---- */

enum { STEPS = 2000, LIVE = 48, CHOICES = 20000 };

/* A fixed program; addresses of small objects relative to the first of their class. */
static void run(struct bw_heap *heap, uintptr_t ret_trace[STEPS])
{
    static const size_t sizes[] = {16, 100, 1000, 20000, 300000};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    uintptr_t first[SIZES] = {0};
    void *live[LIVE] = {NULL};
    uint32_t x = 12345;
    for (int i = 0; i < STEPS; i++) {
        x = x * 1664525 + 1013904223;
        uint32_t at = (x >> 16) % LIVE, kind = (x >> 8) % 64 == 0 ? 4 : x >> 24 & 3;
        bw_free(heap, live[at]);
        live[at] = bw_malloc(heap, sizes[kind]);
        assert_non_null(live[at]);
        if (first[kind] == 0)
            first[kind] = (uintptr_t)live[at];
        ret_trace[i] = (uintptr_t)live[at] - first[kind];
    }
    for (int i = 0; i < LIVE; i++)
        bw_free(heap, live[i]);
}

static uintptr_t a[STEPS], b[STEPS];
static struct bw_choice record[CHOICES], again[CHOICES];
static uint32_t values[CHOICES];

static void what_was_recorded_can_be_replayed(void **state)
{
    (void)state;
    struct bw_choices choices = {.then_from_seed = true, .record = record, .record_max = CHOICES};
    struct bw_heap *recorded = make(&choices, 7);
    run(recorded, a);
    size_t made = choices.made;
    assert_in_range(made, STEPS, CHOICES);
    for (size_t i = 0; i < made; i++) {
        assert_true(record[i].value < record[i].limit);
        values[i] = record[i].value;
    }
    /* another seed, which has no say */
    struct bw_choices list = {
        .values = values, .count = made, .record = again, .record_max = CHOICES};
    struct bw_heap *replayed = make(&list, 8);
    run(replayed, b);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(list.made, made);
    assert_memory_equal(record, again, made * sizeof *record);
    bw_heap_destroy(recorded);
    bw_heap_destroy(replayed);
}

static void the_seed_is_the_one_of_a_heap_without_choices(void **state)
{
    (void)state;
    struct bw_choices choices = {.then_from_seed = true};
    struct bw_heap *given = make(&choices, 7);
    struct bw_heap *plain = bw_heap_create(&(struct bw_config){.seed = 7, .deterministic = true});
    run(given, a);
    run(plain, b);
    assert_memory_equal(a, b, sizeof a);
    bw_heap_destroy(given);
    bw_heap_destroy(plain);
}

static void any_list_will_do_and_an_ended_one_goes_on_with_zero(void **state)
{
    (void)state;
    struct bw_choices wild = {.values = values, .record = record, .record_max = CHOICES};
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
        wild.count = seed % 10 * 100;
        for (size_t i = 0; i < wild.count; i++)
            values[i] = (uint32_t)((x = x * 6364136223846793005u + 1442695040888963407u) >> 32);
        wild.made = 0;
        struct bw_heap *heap = make(&wild, 1);
        run(heap, a);
        const char *reason = "";
        assert_true(bw_heap_check(heap, &reason));
        for (size_t i = 0; i < wild.made; i++)
            assert_int_equal(record[i].value, i < wild.count ? values[i] % record[i].limit : 0);
        bw_heap_destroy(heap);
    }
}

static unsigned asked[BW_CHOICE_PLACE + 1];

static uint32_t highest(struct bw_choices *self, uint32_t limit, enum bw_choice_kind kind)
{
    (void)self;
    asked[kind]++;
    return limit - 1;
}

static void a_function_may_choose(void **state)
{
    (void)state;
    struct bw_choices choices = {.choose = highest};
    struct bw_heap *heap = make(&choices, 0);
    run(heap, a);
    assert_true(asked[BW_CHOICE_LAYOUT] > 0 && asked[BW_CHOICE_PLACE] > 0);
    assert_int_equal(asked[BW_CHOICE_SECRET], 4);
    assert_true(asked[BW_CHOICE_SLOT] > STEPS / 2 && asked[BW_CHOICE_QUARANTINE] > STEPS / 2);
    bw_heap_destroy(heap);
}

/* ---- every list of a program ---- */

enum { LENGTH = 32, ORDERS_MAX = 8192 };

/* The lists of a program as an odometer: the last choice that can be higher goes up, what follows
 * it is made anew. False after the last. */
static bool next_list(struct bw_choices *choices, uint32_t list[LENGTH])
{
    assert_in_range(choices->made, 0, LENGTH);
    for (size_t i = 0; i < choices->made; i++)
        list[i] = record[i].value;
    for (size_t i = choices->made; i-- > 0;) {
        if (list[i] + 1 == record[i].limit)
            continue;
        list[i]++;
        choices->count = i + 1;
        return true;
    }
    return false;
}

static uint64_t orders[ORDERS_MAX];

/* How many different orders `count` objects of a slab come in, of so many lists. */
static void enumerate(size_t size, size_t slot, size_t slots, size_t count, size_t ret_counts[2])
{
    uint32_t list[LENGTH];
    struct bw_choices choices = {.values = list, .record = record, .record_max = LENGTH};
    struct bw_heap *heap = make(&choices, 0);
    size_t lists = 0, different = 0;
    uintptr_t base = 0;
    do {
        uintptr_t addresses[LENGTH];
        bw_heap_reset(heap, 0);
        choices.made = 0;
        for (size_t i = 0; i < count; i++)
            addresses[i] = (uintptr_t)bw_malloc(heap, size);
        if (base == 0) /* all choices were 0: the first slots, in the slab's first page */
            base = addresses[0] / 4096 * 4096;
        uint64_t order = 0;
        for (size_t i = 0; i < count; i++) {
            assert_true(addresses[i] - base < slots * slot);
            order = order * slots + (addresses[i] - base) / slot;
        }
        size_t i = 0;
        while (i < different && orders[i] != order)
            i++;
        if (i == different) {
            assert_in_range(different, 0, ORDERS_MAX - 1);
            orders[different++] = order;
        }
        lists++;
    } while (next_list(&choices, list));
    bw_heap_destroy(heap);
    ret_counts[0] = lists;
    ret_counts[1] = different;
}

/* Slots of 4,096 bytes come one at a time, four to a slab: 4! orders. Of 2,048 they come in twos,
 * eight to a slab: 8 * 7 * 6 * 5 orders of four. */
static void all_lists_are_all_slot_orders_once(void **state)
{
    size_t counts[2];
    (void)state;
    if (bw_page_size(&bw_system_pages) > 16384)
        skip(); /* the slabs are of 16 KiB */
    enumerate(4000, 4096, 4, 4, counts);
    assert_int_equal(counts[0], 24);
    assert_int_equal(counts[1], 24);
    enumerate(4000, 4096, 4, 2, counts);
    assert_int_equal(counts[0], 12);
    assert_int_equal(counts[1], 12);
    enumerate(2000, 2048, 8, 4, counts);
    assert_int_equal(counts[0], 1680);
    assert_int_equal(counts[1], 1680);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_recorded_can_be_replayed),
        cmocka_unit_test(the_seed_is_the_one_of_a_heap_without_choices),
        cmocka_unit_test(any_list_will_do_and_an_ended_one_goes_on_with_zero),
        cmocka_unit_test(a_function_may_choose),
        cmocka_unit_test(all_lists_are_all_slot_orders_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

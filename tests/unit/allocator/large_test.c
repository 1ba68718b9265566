/* Large objects: the table under insertions and removals, the quarantine of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/bulwark.h"
#include "allocator/large.h"
#include "allocator/pages.h"
#include "allocator/place.h"

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

static void many_come_and_go(void **state)
{
    enum { LIVE = 700, STEPS = 6000 };
    static uint8_t *objects[LIVE];
    static size_t sizes[LIVE];
    uint32_t x = 1;
    const char *reason = "";
    (void)state;
    for (int i = 0; i < STEPS; i++) {
        x = x * 1664525 + 1013904223;
        uint32_t at = (x >> 8) % LIVE;
        if (objects[at] != NULL) {
            assert_int_equal(bw_large_size(heap, objects[at], BW_INTENT_ASK), sizes[at]);
            assert_int_equal(objects[at][0], (uint8_t)at);
            assert_int_equal(objects[at][sizes[at] - 1], (uint8_t)at);
            bw_free(heap, objects[at]);
            objects[at] = NULL;
            continue;
        }
        sizes[at] = 131072 + x % 500000;
        objects[at] = bw_malloc(heap, sizes[at]);
        objects[at][0] = objects[at][sizes[at] - 1] = (uint8_t)at;
        if (i % 1000 == 0)
            assert_true(bw_heap_check(heap, &reason));
    }
    for (int i = 0; i < LIVE; i++)
        bw_free(heap, objects[i]);
    assert_true(bw_heap_check(heap, &reason));
    assert_int_equal(heap->large.count, bw_policy_large_quarantine_objects);
    assert_int_equal(bw_malloc_trim(heap, 0), 1);
    assert_int_equal(heap->large.count, 0);
}

static void gaps_differ_in_size(void **state)
{
    uint32_t seen = 0;
    (void)state;
    bw_heap_reset(heap, 5);
    for (int i = 0; i < 100; i++)
        assert_non_null(bw_malloc(heap, 200000));
    for (uint32_t i = 0; i < heap->large.capacity; i++) {
        const struct bw_large_object *object = &heap->large.table[i];
        if (object->address == 0)
            continue;
        assert_true(object->before >= 4096 && object->after >= 4096);
        seen |= 1u << object->before / 4096;
    }
    assert_true(__builtin_popcount(seen) > 10);
}

/* Two runs of one seed put large objects at the same offsets; they are nowhere near each other. */
static void places_are_random_and_repeatable(void **state)
{
    enum { COUNT = 200 };
    static uintptr_t first[COUNT], second[COUNT];
    unsigned same_gigabyte = 0;
    (void)state;
    if (heap->large.window == 0)
        skip();
    for (uint64_t seed = 5; seed < 7; seed++) {
        bw_heap_reset(heap, seed);
        for (int i = 0; i < COUNT; i++)
            first[i] = (uintptr_t)bw_malloc(heap, 200000);
        bw_heap_reset(heap, 5);
        for (int i = 0; i < COUNT; i++)
            second[i] = (uintptr_t)bw_malloc(heap, 200000);
        assert_int_equal(memcmp(first, second, sizeof first) == 0, seed == 5);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_in_range(first[i], heap->large.window, heap->large.window + BW_LARGE_WINDOW);
        for (int k = 0; k < i; k++)
            same_gigabyte += first[i] >> 30 == first[k] >> 30;
    }
    /* 19,900 pairs over 1,024 places: 19 expected. */
    assert_in_range(same_gigabyte, 0, 60);
}

static void pages_are_exact_at_the_end(void **state)
{
    (void)state;
    bw_heap_reset(heap, 5);
    uint8_t *p = bw_malloc(heap, 40 * 4096);
    assert_int_equal(bw_large_size(heap, p, BW_INTENT_ASK), 40 * 4096);
    p[40 * 4096 - 1] = 1;
    p = bw_realloc(heap, p, 40 * 4096 - 100);
    assert_int_equal(bw_malloc_usable_size(heap, p), 40 * 4096 - 100);
    p[40 * 4096 - 101] = 1;
    uint8_t *q = bw_realloc(heap, p, 40 * 4096 - 10);
    assert_ptr_equal(p, q);
    for (size_t at = 40 * 4096 - 100; at < 40 * 4096 - 10; at++)
        assert_int_equal(q[at], 0);
    bw_free_sized(heap, q, 40 * 4096 - 10);
}

/* Moved by pages or copied, grown or shrunk, to page ends and beside them: the content comes along,
 * the rest reads as zero or canary, the old place is unreadable soon after (its quarantine). */
static void resizes_keep_content(void **state)
{
    enum { STEPS = 400, LEAST = 140000, MOST = 1 << 20 };
    const char *reason = "";
    size_t size = LEAST;
    uint32_t x = 7;
    (void)state;
    uint8_t *p = bw_malloc(heap, size);
    for (size_t at = 0; at < size; at++)
        p[at] = (uint8_t)(at * 31 >> 3);
    for (int i = 0; i < STEPS; i++) {
        x = x * 1664525 + 1013904223;
        size_t next = LEAST + (x >> 4) % (MOST - LEAST);
        if (i % 3 == 0)
            next = next / 4096 * 4096;
        else if (i % 7 == 0)
            next = 100 + (x >> 4) % 200000; /* to a slab and back */
        p = bw_realloc(heap, p, next);
        assert_non_null(p);
        for (size_t at = 0; at < (size < next ? size : next); at++)
            if (p[at] != (uint8_t)(at * 31 >> 3))
                fail_msg("step %d: byte %zu of %zu, which came from %zu", i, at, next, size);
        for (size_t at = size; at < next; at++) {
            assert_int_equal(p[at], 0);
            p[at] = (uint8_t)(at * 31 >> 3);
        }
        size = next;
        assert_true(bw_heap_check(heap, &reason));
    }
    bw_free(heap, p);
}

enum { PAGES = 30, MOVED = 10, HOLE_END = 20 };

/* As a failed move leaves it: the first pages moved, the target of the next ones unmapped. */
static void move_a_part(uint8_t **ret_to, uint8_t **ret_from)
{
    size_t page = bw_page_size();
    uint8_t *to = bw_pages_reserve(PAGES * page), *from = bw_pages_reserve(PAGES * page);
    assert_true(bw_pages_commit(to, PAGES * page) && bw_pages_commit(from, PAGES * page));
    for (size_t at = 0; at < PAGES * page; at++)
        from[at] = (uint8_t)(at * 31 >> 3);
    memset(from + 3 * page, 0, page);
    assert_true(bw_pages_move(to, from, MOVED * page));
    assert_int_equal(from[1], 0);
    bw_pages_release(to + MOVED * page, (HOLE_END - MOVED) * page);
    *ret_to = to;
    *ret_from = from;
}

static void assert_content(const uint8_t *p)
{
    size_t page = bw_page_size();
    for (size_t at = 0; at < PAGES * page; at++)
        if (p[at] != (at / page == 3 ? 0 : (uint8_t)(at * 31 >> 3)))
            fail_msg("byte %zu", at);
}

static void a_move_of_a_part_is_made_whole(void **state)
{
    uint8_t *to, *from;
    (void)state;
    move_a_part(&to, &from);
    assert_true(bw_pages_rejoin(to, from, PAGES * bw_page_size()));
    assert_content(to);
    bw_pages_release(to, PAGES * bw_page_size());
    bw_pages_release(from, PAGES * bw_page_size());
}

static void or_goes_back(void **state)
{
    uint8_t *to, *from;
    struct rlimit old, none;
    (void)state;
    move_a_part(&to, &from);
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    none = old;
    none.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    bool whole = bw_pages_rejoin(to, from, PAGES * bw_page_size());
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
    assert_false(whole);
    assert_content(from);
    bw_pages_release(to, PAGES * bw_page_size());
    bw_pages_release(from, PAGES * bw_page_size());
}

static void several_mappings_are_not_one(void **state)
{
    size_t page = bw_page_size();
    (void)state;
    uint8_t *p = bw_pages_reserve(PAGES * page);
    assert_true(bw_pages_commit(p, 20 * page));
    assert_true(bw_pages_are_one(p, 20 * page));
    assert_true(bw_pages_are_one(p, 10 * page));
    assert_true(bw_pages_commit(p + 25 * page, page));
    assert_false(bw_pages_are_one(p, 26 * page));
    bw_pages_release(p, PAGES * page);
}

/* What the program asked of an object's pages goes with the object. */
static void attributes_do_not_travel(void **state)
{
    enum { SIZE = 300000, KINDS = 7 };
    (void)state;
    size_t page = bw_page_size();
    for (int kind = 0; kind < KINDS; kind++) {
        uint8_t *p = bw_malloc(heap, SIZE);
        memset(p, 1, SIZE);
        int result = kind == 0   ? mprotect(p, page, PROT_NONE)
                     : kind == 1 ? mprotect(p, bw_round_up(SIZE, page), PROT_READ)
                     : kind == 2 ? madvise(p, bw_round_up(SIZE, page), MADV_DONTFORK)
                     : kind == 3 ? madvise(p, page, MADV_DONTFORK)
                     : kind == 4 ? madvise(p, bw_round_up(SIZE, page), MADV_WIPEONFORK)
                     : kind == 5 ? madvise(p, bw_round_up(SIZE, page), MADV_DONTDUMP)
                                 : !bw_pages_guard(p + page, page);
        assert_int_equal(result, 0);
        bw_free(heap, p);
        p = bw_malloc(heap, SIZE);
        memset(p, 7, SIZE);
        pid_t child = fork();
        if (child == 0) {
            for (size_t at = 0; at < SIZE; at++)
                if (p[at] != 7)
                    _exit(1);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        bw_free(heap, p);
    }
}

/* The bytes too many of a spare that could not be closed are closed with it. */
static void excess_that_stays_is_the_objects(void **state)
{
    size_t page = bw_page_size();
    struct bw_large_object object = {.address = UINTPTR_MAX - 32 * page + 1, /* not the program's */
                                     .usable = 4 * page,
                                     .after = (uint32_t)(3 * page),
                                     .excess = (uint32_t)(2 * page),
                                     .ready = 1};
    (void)state;
    assert_false(bw_spare_trim(&object));
    assert_int_equal(object.usable, 6 * page);
    assert_int_equal(object.after, page);
    assert_int_equal(object.excess, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_come_and_go),
        cmocka_unit_test(gaps_differ_in_size),
        cmocka_unit_test(places_are_random_and_repeatable),
        cmocka_unit_test(pages_are_exact_at_the_end),
        cmocka_unit_test(resizes_keep_content),
        cmocka_unit_test(a_move_of_a_part_is_made_whole),
        cmocka_unit_test(or_goes_back),
        cmocka_unit_test(several_mappings_are_not_one),
        cmocka_unit_test(attributes_do_not_travel),
        cmocka_unit_test(excess_that_stays_is_the_objects),
    };
    return cmocka_run_group_tests(tests, make, drop);
}

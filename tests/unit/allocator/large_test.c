/* Large objects: the table under insertions and removals, the quarantine of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/bulwark.h"
#include "allocator/large.h"
#include "allocator/pages.h"

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
    size_t page = bw_page_size(&bw_system_pages);
    uint32_t seen = 0;
    (void)state;
    bw_heap_reset(heap, 5);
    for (int i = 0; i < 100; i++)
        assert_non_null(bw_malloc(heap, 200000));
    for (uint32_t i = 0; i < heap->large.capacity; i++) {
        const struct bw_large_object *object = &heap->large.table[i];
        if (object->address == 0)
            continue;
        assert_true(object->before >= page && object->after >= page);
        seen |= 1u << object->before / page;
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
    /* 19,900 pairs over 256 places: 78 expected. */
    assert_in_range(same_gigabyte, 0, 160);
}

static void pages_are_exact_at_the_end(void **state)
{
    (void)state;
    bw_heap_reset(heap, 5);
    size_t bytes = 40 * bw_page_size(&bw_system_pages);
    uint8_t *p = bw_malloc(heap, bytes);
    assert_int_equal(bw_large_size(heap, p, BW_INTENT_ASK), bytes);
    p[bytes - 1] = 1;
    p = bw_realloc(heap, p, bytes - 100);
    assert_int_equal(bw_malloc_usable_size(heap, p), bytes - 100);
    p[bytes - 101] = 1;
    uint8_t *q = bw_realloc(heap, p, bytes - 10);
    assert_ptr_equal(p, q);
    for (size_t at = bytes - 100; at < bytes - 10; at++)
        assert_int_equal(q[at], 0);
    bw_free_sized(heap, q, bytes - 10);
}

/* Moved by pages or copied, grown or shrunk, to page ends and beside them: the content comes along,
 * the rest reads as zero or canary, the old place is unreadable soon after (its quarantine). */
static void resizes_keep_content(void **state)
{
    enum { STEPS = 400, LEAST = 140000, MOST = 1 << 20 };
    const char *reason = "";
    size_t size = LEAST, page = bw_page_size(&bw_system_pages);
    uint32_t x = 7;
    (void)state;
    uint8_t *p = bw_malloc(heap, size);
    for (size_t at = 0; at < size; at++)
        p[at] = (uint8_t)(at * 31 >> 3);
    for (int i = 0; i < STEPS; i++) {
        x = x * 1664525 + 1013904223;
        size_t next = LEAST + (x >> 4) % (MOST - LEAST);
        if (i % 3 == 0)
            next = next / page * page;
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

enum { PAGES = 30 };

static void several_mappings_are_not_one(void **state)
{
    size_t page = bw_page_size(&bw_system_pages);
    (void)state;
    uint8_t *p = bw_pages_reserve(&bw_system_pages, PAGES * page);
    assert_true(bw_pages_commit(&bw_system_pages, p, 20 * page));
    assert_true(bw_pages_are_one(&bw_system_pages, p, 20 * page));
    assert_true(bw_pages_are_one(&bw_system_pages, p, 10 * page));
    assert_true(bw_pages_commit(&bw_system_pages, p + 25 * page, page));
    assert_false(bw_pages_are_one(&bw_system_pages, p, 26 * page));
    bw_pages_release(&bw_system_pages, p, PAGES * page);
}

/* What the program asked of an object's pages goes with the object. */
static void attributes_do_not_travel(void **state)
{
    enum { SIZE = 300000, KINDS = 7 };
    (void)state;
    size_t page = bw_page_size(&bw_system_pages);
    for (int kind = 0; kind < KINDS; kind++) {
        uint8_t *p = bw_malloc(heap, SIZE);
        memset(p, 1, SIZE);
        int result = kind == 0   ? mprotect(p, page, PROT_NONE)
                     : kind == 1 ? mprotect(p, bw_round_up(SIZE, page), PROT_READ)
                     : kind == 2 ? madvise(p, bw_round_up(SIZE, page), MADV_DONTFORK)
                     : kind == 3 ? madvise(p, page, MADV_DONTFORK)
                     : kind == 4 ? madvise(p, bw_round_up(SIZE, page), MADV_WIPEONFORK)
                     : kind == 5 ? madvise(p, bw_round_up(SIZE, page), MADV_DONTDUMP)
                                 : !bw_pages_guard(&bw_system_pages, p + page, page);
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

static uint8_t *guarded_pages(uint8_t **ret_to)
{
    size_t page = bw_page_size(&bw_system_pages);
    uint8_t *from = bw_pages_reserve(&bw_system_pages, PAGES * page);
    *ret_to = bw_pages_reserve(&bw_system_pages, 2 * PAGES * page);
    assert_true(bw_pages_commit(&bw_system_pages, from, PAGES * page));
    if (!bw_pages_guard_cheaply(&bw_system_pages, from + (PAGES - 1) * page, page))
        skip();
    for (size_t at = 0; at < (PAGES - 1) * page; at++)
        from[at] = (uint8_t)(at * 31 >> 3);
    return from;
}

static bool reads(const uint8_t *p)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    bool can = write(ends[1], p, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return can;
}

/* Guards come along, and nothing is left at the old place. */
static void pages_move_with_their_guards(void **state)
{
    (void)state;
    size_t page = bw_page_size(&bw_system_pages);
    for (size_t more = 0; more <= PAGES; more += PAGES) {
        uint8_t *to, *from = guarded_pages(&to);
        bool lost = true;
        assert_true(
            bw_pages_move(&bw_system_pages, to, (PAGES + more) * page, from, PAGES * page, &lost));
        assert_false(lost);
        for (size_t at = 0; at < (PAGES - 1) * page; at++)
            assert_int_equal(to[at], (uint8_t)(at * 31 >> 3));
        assert_false(reads(to + (PAGES - 1) * page));
        assert_false(reads(from));
        assert_null(bw_pages_reserve_at(&bw_system_pages, from, page));
        assert_true(more == 0 || reads(to + PAGES * page));
        bw_pages_release(&bw_system_pages, to, 2 * PAGES * page);
        bw_pages_release(&bw_system_pages, from, PAGES * page);
    }
}

/* What stands in two mappings stays where it is. */
static void a_refused_move_changes_nothing(void **state)
{
    (void)state;
    size_t page = bw_page_size(&bw_system_pages);
    uint8_t *to, *from = guarded_pages(&to);
    bool lost = true;
    assert_int_equal(mprotect(from, 3 * page, PROT_READ), 0);
    assert_false(bw_pages_are_one(&bw_system_pages, from, PAGES * page));
    assert_false(bw_pages_move(&bw_system_pages, to, 2 * PAGES * page, from, PAGES * page, &lost));
    for (size_t at = 0; at < (PAGES - 1) * page; at++)
        assert_int_equal(from[at], (uint8_t)(at * 31 >> 3));
    bw_pages_release(&bw_system_pages, to, 2 * PAGES * page);
    bw_pages_release(&bw_system_pages, from, PAGES * page);
}

static size_t page_table_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long kib = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmPTE: %lu kB", &kib) == 1)
            break;
    fclose(file);
    return kib;
}

/* Ever different places cost page tables, which the kernel keeps as long as a neighbour is mapped.
 */
static void page_tables_do_not_pile_up(void **state)
{
    (void)state;
    size_t before = page_table_kib();
    for (int i = 0; i < 5000; i++) {
        uint8_t *p = bw_malloc(heap, 300000);
        memset(p, 1, i % 2 ? 300000 : 1);
        bw_free(heap, p);
    }
    assert_in_range(page_table_kib(), 0, before + 4096);
}

/* Shrunk by gigabytes where they stand: neither what stands behind nor page tables suffer. */
static void much_shorter_objects_leave_nothing(void **state)
{
    enum { COUNT = 100, SIZE = 200000 };
    static uint8_t *others[COUNT];
    const char *reason = "";
    (void)state;
    if (heap->large.window == 0)
        skip();
    for (int i = 0; i < COUNT; i++)
        memset(others[i] = bw_malloc(heap, SIZE), i, SIZE);
    size_t before = page_table_kib();
    for (int i = 0; i < 20; i++) {
        uint8_t *p = bw_malloc(heap, ((size_t)4 << 30) + (1 << 20));
        assert_non_null(p);
        memset(p, 7, 3 << 20);
        p = bw_realloc(heap, p, (size_t)1056768);
        assert_int_equal(p[1056767], 7);
        assert_false(reads(p + bw_round_up(1056768, bw_page_size(heap->pages))));
        p = bw_realloc(heap, p, (size_t)1300000);
        assert_int_equal(p[1056768], 0);
        bw_free(heap, p);
    }
    assert_true(page_table_kib() <= before + 2048);
    for (int i = 0; i < COUNT; i++) {
        for (size_t at = 0; at < SIZE; at += 500)
            assert_int_equal(others[i][at], i);
        bw_free(heap, others[i]);
    }
    assert_true(bw_heap_check(heap, &reason));
}

/* The place of a long object that shrank twice, taken by a shorter one that then grows: its tail is
 * cut while it grows. */
static void grows_while_its_tail_is_cut(void **state)
{
    (void)state;
    bw_heap_reset(heap, 3);
    uint8_t *p = bw_malloc(heap, 3671276);
    p = bw_realloc(heap, p, (size_t)1835638);
    p = bw_realloc(heap, p, (size_t)917819);
    bw_free(heap, p);
    p = bw_malloc(heap, 687012);
    p[687011] = 1;
    p = bw_realloc(heap, p, (size_t)753943);
    assert_int_equal(p[687011], 1);
    assert_int_equal(p[753942], 0);
    assert_false(reads(p + bw_round_up(753943, bw_page_size(heap->pages))));
    bw_free(heap, p);
}

/* Sizes wander over two powers of ten, mostly downwards by half, and some objects are only touched
 * at their ends: places, tails and spares meet in every order. All that was asked for is there,
 * nothing behind it. */
static void sizes_wander(void **state)
{
    enum { LIVE = 3, SEEDS = 40, STEPS = 400, SIZE_MOST = 16 << 20 };
    const char *reason = "";
    uint64_t x = 88172645463325252;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint8_t *objects[LIVE] = {NULL};
        size_t sizes[LIVE] = {0}, page = bw_page_size(heap->pages);
        bw_heap_reset(heap, seed);
        for (int i = 0; i < STEPS; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            unsigned at = (unsigned)(x % LIVE), how = x >> 20 & 7;
            uint8_t mark = (uint8_t)(at + 1), *p = objects[at];
            size_t old = p ? sizes[at] : 0, any = x >> 32;
            size_t low = (size_t)1 << (17 + (x >> 24) % 6), size = low + 1 + any % low;
            if (p && (p[0] != mark || p[old - 1] != mark))
                fail_msg("seed %d, step %d: content", (int)seed, i);
            if (p && how == 0) {
                bw_free(heap, p);
                objects[at] = NULL;
                continue;
            }
            if (p && how < 4)
                size = old - old / 4 + any % (old / 2);
            else if (p && how < 7)
                size = old / 2 + any % page;
            if (size <= BW_REQUEST_MAX || size > SIZE_MOST)
                size = low + 1;
            objects[at] = p = p ? bw_realloc(heap, p, size) : bw_malloc(heap, size);
            assert_non_null(p);
            if (p[0] != (old ? mark : 0) || (old && old < size && (p[old - 1] != mark || p[old])))
                fail_msg("seed %d, step %d: content after a resize", (int)seed, i);
            if (at == 0)
                memset(p, mark, size < (1 << 20) ? size : 1 << 20);
            p[0] = p[size - 1] = mark;
            assert_false(reads(p + bw_round_up(size, page)));
            sizes[at] = size;
        }
        assert_true(bw_heap_check(heap, &reason));
    }
    bw_heap_reset(heap, 3);
}

/* Moved or, because the program split its mapping, copied: the new place is the same. */
static void places_depend_on_calls_alone(void **state)
{
    enum { SIZE = 300000 };
    void *grown[2], *next[2];
    (void)state;
    for (int split = 0; split < 2; split++) {
        bw_heap_reset(heap, 9);
        uint8_t *p = bw_malloc(heap, SIZE);
        memset(p, 3, SIZE);
        if (split)
            assert_int_equal(madvise(p, bw_page_size(heap->pages), MADV_DONTDUMP), 0);
        grown[split] = p = bw_realloc(heap, p, (size_t)(3 * SIZE));
        assert_int_equal(p[SIZE - 1], 3);
        assert_int_equal(p[SIZE], 0);
        next[split] = bw_malloc(heap, SIZE);
    }
    assert_ptr_equal(grown[0], grown[1]);
    assert_ptr_equal(next[0], next[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_come_and_go),
        cmocka_unit_test(gaps_differ_in_size),
        cmocka_unit_test(places_are_random_and_repeatable),
        cmocka_unit_test(pages_are_exact_at_the_end),
        cmocka_unit_test(resizes_keep_content),
        cmocka_unit_test(pages_move_with_their_guards),
        cmocka_unit_test(a_refused_move_changes_nothing),
        cmocka_unit_test(several_mappings_are_not_one),
        cmocka_unit_test(attributes_do_not_travel),
        cmocka_unit_test(page_tables_do_not_pile_up),
        cmocka_unit_test(much_shorter_objects_leave_nothing),
        cmocka_unit_test(grows_while_its_tail_is_cut),
        cmocka_unit_test(sizes_wander),
        cmocka_unit_test(places_depend_on_calls_alone),
    };
    return cmocka_run_group_tests(tests, make, drop);
}

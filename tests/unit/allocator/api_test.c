/* Argument rules, errno and contents of each public name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "allocator/bulwark.h"
#include "allocator/pages.h"

static struct bw_heap *heap;

static int make(void **state)
{
    (void)state;
    heap = bw_heap_create(&(struct bw_config){.seed = 1, .deterministic = true});
    return heap == NULL;
}

static int drop(void **state)
{
    const char *reason;
    (void)state;
    bool sound = bw_heap_check(heap, &reason);
    bw_heap_destroy(heap);
    return !sound;
}

static const size_t edges[] = {0,     1,      7,      8,      15,     16,     17,    31,
                               47,    48,     49,     127,    128,    129,    255,   256,
                               1023,  1024,   1025,   4095,   4096,   4097,   65535, 65536,
                               65537, 131070, 131071, 131072, 131073, 1000000};
enum { EDGES = sizeof edges / sizeof edges[0] };

static void objects_are_aligned_writable_and_disjoint(void **state)
{
    uint8_t *objects[EDGES];
    (void)state;
    for (size_t i = 0; i < EDGES; i++) {
        objects[i] = bw_malloc(heap, edges[i]);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % 16, 0);
        assert_int_equal(bw_malloc_usable_size(heap, objects[i]), edges[i]);
        assert_int_equal(bw_malloc_object_size(heap, objects[i]), edges[i]);
        memset(objects[i], (int)i + 1, edges[i]);
    }
    for (size_t i = 0; i < EDGES; i++) {
        for (size_t at = 0; at < edges[i]; at++)
            assert_int_equal(objects[i][at], i + 1);
        bw_free(heap, objects[i]);
    }
}

static void calloc_is_zero_on_recycled_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < EDGES; i++) {
        for (int round = 0; round < 200; round++) {
            uint8_t *p = bw_calloc(heap, 1, edges[i]);
            for (size_t at = 0; at < edges[i]; at += edges[i] / 64 + 1)
                assert_int_equal(p[at], 0);
            memset(p, 0xff, edges[i]);
            bw_free(heap, p);
        }
    }
}

static void refuses(void *p)
{
    assert_null(p);
    assert_int_equal(errno, ENOMEM);
    errno = 0;
}

static void sizes_beyond_ptrdiff_max_are_refused(void **state)
{
    void *old = bw_malloc(heap, 100), *out = &out;
    (void)state;
    memset(old, 'x', 100);
    errno = 0;
    for (size_t k = 0; k <= 4096; k += k < 70 ? 1 : 61) {
        const size_t sizes[] = {SIZE_MAX - k, (size_t)PTRDIFF_MAX + 1 + k};
        for (int i = 0; i < 2; i++) {
            refuses(bw_malloc(heap, sizes[i]));
            refuses(bw_calloc(heap, 1, sizes[i]));
            refuses(bw_calloc(heap, sizes[i] / 2 + 1, 4));
            refuses(bw_realloc(heap, old, sizes[i]));
            refuses(bw_reallocarray(heap, old, sizes[i] / 2 + 1, 4));
            refuses(bw_aligned_alloc(heap, 64, sizes[i]));
            refuses(bw_memalign(heap, 65536, sizes[i]));
            refuses(bw_valloc(heap, sizes[i]));
            refuses(bw_pvalloc(heap, sizes[i]));
            assert_int_equal(bw_posix_memalign(heap, &out, 64, sizes[i]), ENOMEM);
            assert_int_equal(errno, 0);
            assert_ptr_equal(out, &out);
        }
    }
    refuses(bw_malloc(heap, PTRDIFF_MAX));
    refuses(bw_memalign(heap, (size_t)1 << 63, 1));
    for (int i = 0; i < 100; i++)
        assert_int_equal(((char *)old)[i], 'x');
    bw_free(heap, old);
}

static void bad_alignments_are_refused(void **state)
{
    void *out = &out;
    (void)state;
    errno = 0;
    const size_t bad[] = {0, 3, 6, 24, 100, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(bw_posix_memalign(heap, &out, bad[i], 10), EINVAL);
        assert_int_equal(errno, 0);
        assert_null(bw_aligned_alloc(heap, bad[i], 10));
        assert_int_equal(errno, EINVAL);
        errno = 0;
    }
    assert_int_equal(bw_posix_memalign(heap, &out, 4, 10), EINVAL);
    assert_ptr_equal(out, &out);
}

static void alignments_hold_for_every_size(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= (size_t)4 << 20; alignment *= 2) {
        for (size_t i = 0; i < EDGES; i++) {
            void *p = bw_aligned_alloc(heap, alignment, edges[i]), *q = NULL;
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % alignment, 0);
            memset(p, 1, edges[i]);
            if (alignment >= sizeof(void *)) {
                assert_int_equal(bw_posix_memalign(heap, &q, alignment, edges[i]), 0);
                assert_int_equal((uintptr_t)q % alignment, 0);
            }
            bw_free_aligned_sized(heap, p, alignment, edges[i]);
            if (q != NULL)
                bw_free_sized(heap, q, edges[i]);
        }
    }
    size_t size = bw_page_size(&bw_system_pages);
    void *page = bw_valloc(heap, 10), *pages = bw_pvalloc(heap, 4097);
    assert_int_equal((uintptr_t)page % size, 0);
    assert_int_equal((uintptr_t)pages % size, 0);
    assert_int_equal(bw_malloc_usable_size(heap, pages), bw_round_up(4097, size));
    bw_free(heap, page);
    bw_free(heap, pages);
}

static void realloc_keeps_the_common_part(void **state)
{
    (void)state;
    for (size_t i = 0; i < EDGES; i++) {
        for (size_t j = 0; j < EDGES; j++) {
            uint8_t *p = bw_malloc(heap, edges[i]);
            for (size_t at = 0; at < edges[i]; at++)
                p[at] = (uint8_t)(at * 7 + i);
            p = bw_realloc(heap, p, edges[j]);
            assert_non_null(p);
            assert_int_equal(bw_malloc_usable_size(heap, p), edges[j]);
            size_t common = edges[i] < edges[j] ? edges[i] : edges[j];
            for (size_t at = 0; at < common; at++)
                assert_int_equal(p[at], (uint8_t)(at * 7 + i));
            memset(p, 1, edges[j]);
            bw_free_sized(heap, p, edges[j]);
        }
    }
}

static void realloc_in_place_shows_no_canary(void **state)
{
    uint8_t *p = bw_malloc(heap, 1100);
    (void)state;
    memset(p, 1, 1100);
    uint8_t *q = bw_realloc(heap, p, 1030);
    assert_ptr_equal(p, q);
    q = bw_realloc(heap, q, 1270);
    assert_ptr_equal(p, q);
    for (size_t at = 1030; at < 1270; at++)
        assert_int_equal(q[at], 0);
    bw_free(heap, q);
}

static void realloc_of_null_and_to_zero(void **state)
{
    (void)state;
    void *p = bw_realloc(heap, NULL, 50);
    assert_non_null(p);
    p = bw_realloc(heap, p, 0);
    assert_non_null(p);
    assert_int_equal(bw_malloc_usable_size(heap, p), 0);
    void *q = bw_malloc(heap, 0);
    assert_non_null(q);
    assert_ptr_not_equal(p, q);
    bw_free(heap, p);
    bw_free_sized(heap, q, 0);
    bw_free(heap, NULL);
    bw_free_sized(heap, NULL, 5);
    assert_int_equal(bw_malloc_usable_size(heap, NULL), 0);
}

static void free_keeps_errno(void **state)
{
    (void)state;
    for (size_t i = 0; i < EDGES; i++) {
        void *objects[300];
        for (int k = 0; k < 300; k++)
            objects[k] = bw_malloc(heap, edges[i]);
        errno = 77;
        for (int k = 0; k < 300; k++)
            bw_free(heap, objects[k]);
        assert_int_equal(errno, 77);
    }
    bw_malloc_trim(heap, 0);
    assert_int_equal(errno, 77);
    errno = 0;
}

static void trim_gives_memory_back(void **state)
{
    enum { COUNT = 4000 };
    static void *objects[COUNT];
    unsigned char resident[1];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        objects[i] = bw_malloc(heap, 4000);
        memset(objects[i], 1, 4000);
    }
    for (int i = 0; i < COUNT; i++)
        bw_free(heap, objects[i]);
    bw_malloc_trim(heap, 0);
    int still = 0;
    for (int i = 0; i < COUNT; i++) {
        void *page = (void *)((uintptr_t)objects[i] & ~(uintptr_t)4095);
        assert_int_equal(mincore(page, 1, resident), 0);
        still += resident[0] & 1;
    }
    assert_in_range(still, 0, COUNT / 20);
    assert_int_equal(bw_malloc_trim(heap, 0), 0);
}

/* Pages that nobody wrote to are zero already; also those that a freed object leaves to the next.
 */
static void calloc_of_large_objects_brings_nothing_in(void **state)
{
    enum { BYTES = 64 << 20, SMALLER = 1 << 20, PAGE = 4096 };
    static unsigned char resident[BYTES / PAGE];
    (void)state;
    uint8_t *p = bw_malloc(heap, SMALLER);
    memset(p, 1, SMALLER);
    bw_free(heap, p);
    p = bw_calloc(heap, 1, SMALLER);
    for (size_t i = 0; i < SMALLER; i++)
        assert_int_equal(p[i], 0);
    bw_free(heap, p);
    p = bw_calloc(heap, BYTES / 16, 16);
    assert_int_equal(mincore(p, BYTES, resident), 0);
    size_t count = 0;
    for (size_t i = 0; i < BYTES / PAGE; i++)
        count += resident[i] & 1;
    assert_in_range(count, 0, BYTES / PAGE / 100);
    bw_free(heap, p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_aligned_writable_and_disjoint),
        cmocka_unit_test(calloc_is_zero_on_recycled_memory),
        cmocka_unit_test(sizes_beyond_ptrdiff_max_are_refused),
        cmocka_unit_test(bad_alignments_are_refused),
        cmocka_unit_test(alignments_hold_for_every_size),
        cmocka_unit_test(realloc_keeps_the_common_part),
        cmocka_unit_test(realloc_in_place_shows_no_canary),
        cmocka_unit_test(realloc_of_null_and_to_zero),
        cmocka_unit_test(free_keeps_errno),
        cmocka_unit_test(trim_gives_memory_back),
        cmocka_unit_test(calloc_of_large_objects_brings_nothing_in),
    };
    return cmocka_run_group_tests(tests, make, drop);
}

/* Misuse of a linked heap: the hook gets the line, may jump away, and a reset makes the heap sound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>

#include "allocator/bulwark.h"
#include "allocator/meta.h"

static jmp_buf back;
static char said[256];

static void keep(void *self, const char *line)
{
    assert_ptr_equal(self, said);
    (void)snprintf(said, sizeof said, "%s", line);
    longjmp(back, 1);
}

enum { KINDS = 9 };

/* Commits misuse `kind` on two fresh objects of `size` bytes; returns the rule that must be named.
 */
static const char *commit(struct bw_heap *heap, int kind, size_t size)
{
    char *volatile p = bw_malloc(heap, size);
    char *volatile q = bw_malloc(heap, size);
    switch (kind) {
    case 0:
        bw_free(heap, p);
        bw_free(heap, p);
        return "double free";
    case 1: bw_free(heap, p + 1); return "invalid free";
    case 2: bw_free(heap, &said); return "invalid free";
    case 3:
        p[size] = 0;
        bw_free(heap, p);
        return "overflow";
    case 4:
        p[size] = 'a';
        p = bw_realloc(heap, p, size * 9);
        return "overflow";
    case 5: bw_free_sized(heap, q, size + 1); return "size mismatch";
    case 6: bw_free_aligned_sized(heap, q, 3, size); return "alignment mismatch";
    case 7:
        bw_free(heap, q);
        p = bw_realloc(heap, q, size * 2);
        return "realloc after free";
    default:
        bw_free(heap, q);
        return bw_malloc_usable_size(heap, q) != 0 ? "nothing" : "usable_size after free";
    }
}

static void every_misuse_is_named_and_the_heap_survives_a_reset(void **state)
{
    static const char *const rules[KINDS] = {
        "double free",        "invalid free",       "invalid free",
        "overflow",           "overflow",           "size mismatch",
        "alignment mismatch", "realloc after free", "usable_size after free"};
    static const size_t sizes[] = {1, 24, 31, 200, 1000, 5000, 100000, 200001};
    struct bw_heap *heap = bw_heap_create(&(struct bw_config){.seed = 1, .deterministic = true});
    (void)state;
    bw_set_fatal_hook(keep, said);
    for (volatile int kind = 0; kind < KINDS; kind++) {
        for (volatile size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char start[64];
            (void)snprintf(start, sizeof start, "bulwark: %s: address 0x", rules[kind]);
            said[0] = '\0';
            if (setjmp(back) == 0)
                (void)commit(heap, kind, sizes[i]);
            assert_memory_equal(said, start, strlen(start));
            assert_null(strchr(said, '\n'));
            bw_heap_reset(heap, i);
            const char *reason = "";
            assert_true(bw_heap_check(heap, &reason));
            for (int k = 0; k < 300; k++)
                bw_free(heap, bw_calloc(heap, 1, sizes[i]));
        }
    }
    bw_set_fatal_hook(NULL, NULL);
    bw_heap_destroy(heap);
}

static void write_after_free_is_seen_on_reuse(void **state)
{
    static const size_t sizes[] = {1, 24, 200, 1000, 5000, 100000};
    struct bw_heap *heap = bw_heap_create(&(struct bw_config){.seed = 1, .deterministic = true});
    (void)state;
    bw_set_fatal_hook(keep, said);
    for (volatile size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        said[0] = '\0';
        if (setjmp(back) == 0) {
            char *volatile p = bw_malloc(heap, sizes[i]);
            bw_free(heap, p);
            p[sizes[i] - 1] = 1;
            for (int k = 0; k < 100000; k++)
                bw_free(heap, bw_malloc(heap, sizes[i]));
        }
        assert_non_null(strstr(said, "write after free"));
        bw_heap_reset(heap, i);
    }
    bw_set_fatal_hook(NULL, NULL);
    bw_heap_destroy(heap);
}

/* As where a signal's handler allocated between a cache's read and its write of the count. */
static void a_slot_taken_twice_is_seen(void **state)
{
    static const size_t sizes[] = {0, 24, 200, 1000, 5000, 100000};
    struct bw_heap *heap = bw_heap_create(&(struct bw_config){.seed = 1, .deterministic = true});
    (void)state;
    bw_set_fatal_hook(keep, said);
    for (volatile size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        said[0] = '\0';
        if (setjmp(back) == 0) {
            void *p = bw_malloc(heap, sizes[i]);
            assert_non_null(p);
            for (unsigned index = 0; index < BW_CLASS_COUNT; index++)
                heap->caches->bins[index].ready_count += (heap->caches->touched >> index) & 1;
            (void)bw_malloc(heap, sizes[i]);
        }
        assert_non_null(strstr(said, "slot taken twice"));
        bw_heap_reset(heap, i);
    }
    bw_set_fatal_hook(NULL, NULL);
    bw_heap_destroy(heap);
}

static struct bw_heap *fresh(uint64_t seed)
{
    struct bw_heap *heap = bw_heap_create(&(struct bw_config){.seed = seed, .deterministic = true});
    assert_non_null(heap);
    bw_set_fatal_hook(keep, said);
    said[0] = '\0';
    return heap;
}

static void done(struct bw_heap *heap)
{
    bw_set_fatal_hook(NULL, NULL);
    bw_heap_destroy(heap);
}

/* The next allocation of its size class is enough, also where the slot is most of what the hand
 * looks at in one go. */
static void the_hand_sees_a_freed_slot_of_any_size(void **state)
{
    static const size_t sizes[] = {20, 900, 4096, 6000, 9000, 100000};
    (void)state;
    for (volatile size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct bw_heap *heap = fresh(i);
        uint8_t *volatile p = bw_malloc(heap, sizes[i]);
        bw_free(heap, p);
        memset(p, 'A', sizes[i]);
        if (setjmp(back) == 0)
            for (int k = 0; k < 64; k++)
                (void)bw_malloc(heap, sizes[i]);
        assert_non_null(strstr(said, "write after free"));
        assert_non_null(strstr(said, "state quarantined"));
        done(heap);
    }
}

/* Into a slot that was never handed out, of which the start is not looked at. */
static void a_write_before_an_object_is_seen_by_the_one_before(void **state)
{
    enum { SIZE = 4096, SEEDS = 40 };
    volatile unsigned by_allocation = 0;
    (void)state;
    for (volatile uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bw_heap *heap = fresh(seed);
        const struct bw_class *class = &heap->classes[bw_class_for(SIZE, 1)];
        uint8_t *volatile p = bw_malloc(heap, SIZE);
        if ((size_t)(p - class->base) % class->stride >= class->size) {
            p[seed % 2 == 0 ? -1 : -32] ^= 'A';
            if (setjmp(back) == 0)
                for (uint32_t k = 1; k < class->slots; k++)
                    (void)bw_malloc(heap, SIZE);
            assert_non_null(strstr(said, "write after free"));
            by_allocation += strstr(said, "state free") != NULL;
        }
        done(heap);
    }
    assert_true(by_allocation != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_misuse_is_named_and_the_heap_survives_a_reset),
        cmocka_unit_test(write_after_free_is_seen_on_reuse),
        cmocka_unit_test(a_slot_taken_twice_is_seen),
        cmocka_unit_test(the_hand_sees_a_freed_slot_of_any_size),
        cmocka_unit_test(a_write_before_an_object_is_seen_by_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

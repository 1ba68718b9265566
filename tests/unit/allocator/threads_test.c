/* Four threads at random on one heap, contents checked, objects freed by whoever finds them. With
 * two arguments, SEED and SECONDS, again and again with ever different seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "allocator/bulwark.h"

enum { THREADS = 4, STEPS = 60000, SHARED = 256 };

enum { ALIGNMENT = 256 };

struct object {
    uint64_t size;
    bool aligned;
    uint8_t bytes[];
};

static struct bw_heap *heap;
static _Atomic(struct object *) shared[SHARED];
static atomic_uint wrong;
static unsigned long first_seed = 1, seconds;

static uint8_t pattern(const struct object *object, size_t at)
{
    return (uint8_t)((uintptr_t)object / 16 + at * 13 + object->size);
}

static struct object *make(size_t size, uint32_t kind)
{
    struct object *object = NULL;
    size_t bytes = sizeof *object + size;
    if (kind == 0)
        object = bw_calloc(heap, 1, bytes);
    else if (kind == 1)
        (void)bw_posix_memalign(heap, (void **)&object, ALIGNMENT, bytes);
    else if (kind == 2)
        object = bw_realloc(heap, bw_malloc(heap, bytes / 2), bytes);
    else
        object = bw_malloc(heap, bytes);
    object->size = size;
    object->aligned = kind == 1;
    for (size_t at = 0; at < size; at += size / 32 + 1)
        object->bytes[at] = pattern(object, at);
    return object;
}

static void end(struct object *object, uint32_t kind)
{
    size_t size = object->size;
    for (size_t at = 0; at < size; at += size / 32 + 1)
        if (object->bytes[at] != pattern(object, at))
            atomic_fetch_add(&wrong, 1);
    if (bw_malloc_usable_size(heap, object) != sizeof *object + size)
        atomic_fetch_add(&wrong, 1);
    if (kind == 0 && object->aligned)
        bw_free_aligned_sized(heap, object, ALIGNMENT, sizeof *object + size);
    else if (kind == 0)
        bw_free_sized(heap, object, sizeof *object + size);
    else
        bw_free(heap, object);
}

static void *thread(void *seed)
{
    uint32_t x = (uint32_t)(uintptr_t)seed;
    for (int i = 0; i < STEPS; i++) {
        x = x * 1664525 + 1013904223;
        size_t size = (x >> 12) % (x >> 8 & 255 ? 600 : 400000);
        struct object *mine = x >> 28 < 12 ? make(size, x >> 26 & 3) : NULL;
        struct object *old = atomic_exchange(&shared[x >> 8 & (SHARED - 1)], mine);
        if (old != NULL)
            end(old, x >> 25 & 3);
        if (i % 5000 == 0)
            bw_malloc_trim(heap, 0);
    }
    return NULL;
}

static void run(unsigned long seed)
{
    pthread_t threads[THREADS];
    const char *reason = "";
    heap = bw_heap_create(&(struct bw_config){.deterministic = false});
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, thread, (void *)(uintptr_t)(seed + (unsigned long)i)),
            0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(wrong, 0);
    assert_true(bw_heap_check(heap, &reason));
    for (int i = 0; i < SHARED; i++) {
        struct object *left = atomic_exchange(&shared[i], NULL);
        if (left != NULL)
            end(left, 1);
    }
    assert_int_equal(wrong, 0);
    assert_true(bw_heap_check(heap, &reason));
    bw_heap_destroy(heap);
}

static void contents_hold(void **state)
{
    (void)state;
    time_t start = time(NULL);
    unsigned long seed = first_seed;
    do {
        run(seed);
        seed += THREADS;
    } while (time(NULL) - start < (time_t)seconds);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        first_seed = strtoul(argv[1], NULL, 10);
        seconds = strtoul(argv[2], NULL, 10);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(contents_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

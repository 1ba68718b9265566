/* fork() of a process whose other threads are inside the heap: parent and child go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/bulwark.h"

enum { THREADS = 8, FORKS = 60 };

static struct bw_heap *heap;
static atomic_bool stop;

static void work(uint32_t x, int steps)
{
    uint8_t *live[32] = {NULL};
    size_t sizes[32] = {0};
    for (int i = 0; i < steps; i++) {
        x = x * 1664525 + 1013904223;
        uint32_t at = x >> 8 & 31;
        if (live[at] != NULL && live[at][sizes[at] - 1] != (uint8_t)at)
            _exit(3);
        bw_free(heap, live[at]);
        sizes[at] = 1 + (x >> 16) % (x % 50 == 0 ? 300000 : 3000);
        live[at] = bw_malloc(heap, sizes[at]);
        if (live[at] == NULL)
            _exit(4);
        live[at][sizes[at] - 1] = (uint8_t)at;
    }
    for (int i = 0; i < 32; i++)
        bw_free(heap, live[i]);
}

static void *thread(void *seed)
{
    while (!atomic_load(&stop))
        work((uint32_t)(uintptr_t)seed, 100);
    return NULL;
}

static void children_of_a_threaded_parent_allocate(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    heap = bw_heap_create(&(struct bw_config){.deterministic = false});
    assert_non_null(heap);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread, (void *)(uintptr_t)(i + 1)), 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20);
            work((uint32_t)i, 300);
            _exit(0);
        }
        work((uint32_t)i, 100);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    const char *reason = "";
    assert_true(bw_heap_check(heap, &reason));
    bw_heap_destroy(heap);
}

static struct bw_heap *handler_heap;
static void *allocated_in_handler;

static void handler(void)
{
    bw_free(handler_heap, allocated_in_handler);
    allocated_in_handler = bw_malloc(handler_heap, 100);
}

/* Registered before Bulwark's own handlers only if another library does so: ours then hold every
 * lock while this one runs. Registered after, it runs outside; both must work. */
static void fork_handlers_may_allocate(void **state)
{
    (void)state;
    heap = handler_heap = bw_heap_create(&(struct bw_config){.deterministic = false});
    assert_int_equal(pthread_atfork(handler, handler, handler), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        work(1, 300);
        _exit(allocated_in_handler != NULL ? 0 : 6);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    work(1, 300);
}

/* What parent and child are handed after the fork is not the same. */
static void child_draws_other_numbers(void **state)
{
    int ends[2];
    void *mine[50], *theirs[50];
    (void)state;
    heap = bw_heap_create(&(struct bw_config){.deterministic = false});
    bw_free(heap, bw_malloc(heap, 20));
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    for (int i = 0; i < 50; i++)
        mine[i] = bw_malloc(heap, 20);
    if (child == 0)
        _exit(write(ends[1], mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
    assert_int_equal(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_memory_not_equal(mine, theirs, sizeof mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_of_a_threaded_parent_allocate),
        cmocka_unit_test(fork_handlers_may_allocate),
        cmocka_unit_test(child_draws_other_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

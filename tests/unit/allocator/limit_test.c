/* A limit on address space, in children: NULL and ENOMEM at the end, and room again after frees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/bulwark.h"
#include "allocator/pages.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { COUNT = 1 << 22 };
/* So much is left to the program. */
#define ROOM ((size_t)256 << 20)

static size_t mapped_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        _exit(20);
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit_to(size_t bytes)
{
    if (setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes}) != 0)
        _exit(21);
}

/* Allocates until NULL, frees every second object, allocates again. Exit status 0 = as promised. */
static int fill(struct bw_heap *heap, size_t size)
{
    static uint8_t *objects[COUNT];
    size_t count = 0, again = 0;
    for (; count < COUNT; count++) {
        errno = 0;
        objects[count] = bw_malloc(heap, size);
        if (objects[count] == NULL)
            break;
        objects[count][size - 1] = (uint8_t)count;
    }
    if (count == COUNT || errno != ENOMEM)
        return 10;
    /* Also where all objects are of one size; guards count, and take more where pages are large. */
    if (count * size < ROOM / (bw_page_size(&bw_system_pages) > 4096 ? 16 : 2))
        return 11;
    for (size_t i = 0; i < count; i++) {
        if (objects[i][size - 1] != (uint8_t)i)
            return 12;
        if (i % 2 == 0)
            bw_free(heap, objects[i]);
    }
    while (again < count / 4 && bw_malloc(heap, size) != NULL)
        again++;
    return again == count / 4 ? 0 : 13;
}

static int in_child(bool limit_first, size_t size)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        alarm(50);
        size_t limit = mapped_bytes() + ROOM;
        if (limit_first)
            limit_to(limit);
        struct bw_heap *heap =
            bw_heap_create(&(struct bw_config){.seed = 1, .deterministic = true});
        if (heap == NULL)
            _exit(1);
        if (!limit_first)
            limit_to(mapped_bytes() + ROOM);
        _exit(fill(heap, size));
    }
    (void)waitpid(child, &status, 0);
    return status;
}

static void a_limit_before_the_heap_is_made(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    assert_int_equal(in_child(true, 80), 0);
    assert_int_equal(in_child(true, 1000), 0);
    assert_int_equal(in_child(true, 100000), 0);
    assert_int_equal(in_child(true, 1 << 20), 0);
}

static void a_limit_on_a_running_heap(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    assert_int_equal(in_child(false, 1 << 20), 0);
}

static void no_room_for_a_heap_is_an_error(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        limit_to(mapped_bytes() + (16 << 10));
        errno = 0;
        struct bw_heap *heap = bw_heap_create(&(struct bw_config){.seed = 1});
        _exit(heap == NULL && errno == ENOMEM ? 0 : 1);
    }
    (void)waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

/* Private writable memory, which counts where the kernel does not overcommit. */
static size_t writable_bytes(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    char line[512], rights[5];
    unsigned long from, to, sum = 0;
    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3 && rights[1] == 'w' &&
            rights[3] == 'p')
            sum += to - from;
    (void)fclose(file);
    return sum;
}

static void no_more_is_writable_than_is_used(void **state)
{
    enum { OBJECTS = 200000, SIZE = 64 };
    (void)state;
    if (SANITIZED)
        skip();
    size_t page = bw_page_size(&bw_system_pages), before = writable_bytes();
    struct bw_heap *heap = bw_heap_create(&(struct bw_config){.seed = 1});
    assert_in_range(writable_bytes() - before, 1, (32 << 10) + 2 * page);
    bw_free(heap, bw_malloc(heap, SIZE));
    assert_in_range(writable_bytes() - before, 1, (256 << 10) + 4 * page);
    for (int i = 0; i < OBJECTS; i++)
        assert_non_null(bw_malloc(heap, SIZE));
    if (page == 4096)
        assert_in_range(writable_bytes() - before, 1, (size_t)OBJECTS * SIZE / 10 * 17);
    (void)bw_malloc(heap, 10 << 20);
    if (page == 4096)
        assert_in_range(writable_bytes() - before, 1,
                        (size_t)OBJECTS * SIZE / 10 * 17 + (11 << 20));
    bw_heap_destroy(heap);
    assert_in_range(writable_bytes(), 0, before + (64 << 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_before_the_heap_is_made),
        cmocka_unit_test(a_limit_on_a_running_heap),
        cmocka_unit_test(no_room_for_a_heap_is_an_error),
        cmocka_unit_test(no_more_is_writable_than_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

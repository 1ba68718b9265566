/* Providers of pages: a fixed region, under a filter that ends the process at any system call; and
 * one whose k-th request fails, for every k. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/bulwark.h"
#include "allocator/meta.h"
#include "allocator/pages.h"

/* ---- a program ---- */

enum { LIVE = 96 };
static const size_t sizes[] = {0,    1,     24,     100,    1000,   5000,
                               9000, 40000, 120000, 140000, 300000, 1 << 20};

struct program {
    struct bw_heap *heap;
    uint8_t *objects[LIVE];
    size_t sizes[LIVE];
    uint32_t x;
    unsigned refused;
};

static uint32_t draw(struct program *program)
{
    program->x = program->x * 1664525 + 1013904223;
    return program->x >> 16;
}

/* 0 = all is as it should be, else the number of the check that failed. */
static int look_at(const struct program *program, unsigned i)
{
    const uint8_t *p = program->objects[i];
    size_t size = program->sizes[i];
    if (p == NULL || size == 0)
        return 0;
    return p[0] != (uint8_t)i || p[size / 2] != (uint8_t)i || p[size - 1] != (uint8_t)i;
}

static void write_to(struct program *program, unsigned i)
{
    size_t size = program->sizes[i];
    if (size != 0)
        program->objects[i][0] = program->objects[i][size / 2] = program->objects[i][size - 1] =
            (uint8_t)i;
}

static int step(struct program *program)
{
    unsigned i = draw(program) % LIVE, kind = draw(program) % 8;
    size_t size = sizes[draw(program) % (sizeof sizes / sizeof sizes[0])];
    if (look_at(program, i) != 0)
        return 1;
    errno = 0;
    if (program->objects[i] != NULL && kind < 3) {
        bw_free(program->heap, program->objects[i]);
        program->objects[i] = NULL;
        return errno == 0 ? 0 : 2;
    }
    if (program->objects[i] != NULL) {
        uint8_t *p = bw_realloc(program->heap, program->objects[i], size);
        if (p == NULL) {
            program->refused++;
            return errno == ENOMEM && look_at(program, i) == 0 ? 0 : 3;
        }
        size_t kept = size < program->sizes[i] ? size : program->sizes[i];
        program->objects[i] = p;
        if (kept != 0 && p[0] != (uint8_t)i)
            return 4;
    } else {
        program->objects[i] = kind == 7   ? bw_aligned_alloc(program->heap, 65536, size)
                              : kind >= 5 ? bw_calloc(program->heap, 1, size)
                                          : bw_malloc(program->heap, size);
        if (program->objects[i] == NULL) {
            program->refused++;
            return errno == ENOMEM ? 0 : 5;
        }
        if (kind >= 5 && kind < 7 && size != 0 && program->objects[i][size - 1] != 0)
            return 6;
    }
    program->sizes[i] = size;
    write_to(program, i);
    return 0;
}

/* `steps` calls, all freed in the end, the heap looked over. */
static int run(struct program *program, unsigned steps)
{
    const char *reason = "";
    for (unsigned i = 0; i < steps; i++) {
        int result = step(program);
        if (result != 0)
            return result;
        if (i == steps / 2)
            (void)bw_malloc_trim(program->heap, 0);
    }
    if (!bw_heap_check(program->heap, &reason))
        return 10;
    for (unsigned i = 0; i < LIVE; i++) {
        if (look_at(program, i) != 0)
            return 11;
        bw_free(program->heap, program->objects[i]);
        program->objects[i] = NULL;
    }
    return bw_heap_check(program->heap, &reason) ? 0 : 12;
}

/* ---- a fixed region ---- */

static const uint8_t key[32] = "thirty-two bytes of a real key";

static uint8_t *region(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* From here on any system call but the end of the process is its end. */
static void forbid_system_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(5);
}

/* Runs in a child. Exit status 5: this machine has no such filters. */
static int without_system_calls(int (*what)(void *memory, size_t bytes), size_t bytes)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        uint8_t *memory = region(bytes);
        if (memory == NULL)
            _exit(20);
        forbid_system_calls();
        _exit(what(memory, bytes));
    }
    (void)waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 5)
        skip();
    return status;
}

static int system_call(void *memory, size_t bytes)
{
    return madvise(memory, bytes, MADV_DONTNEED);
}

static int whole_life(void *memory, size_t bytes)
{
    const struct bw_pages *pages = bw_fixed_pages(memory, bytes, key);
    struct program program = {.x = 1};
    if (pages == NULL)
        return 30;
    for (unsigned pass = 0; pass < 3; pass++) {
        program.heap = bw_heap_create(&(struct bw_config){.pages = pages});
        if (program.heap == NULL)
            return 31;
        for (unsigned i = 0; i < 3; i++) {
            int result = run(&program, 3000);
            if (result != 0)
                return result;
            bw_heap_reset(program.heap, i);
        }
        bw_heap_destroy(program.heap);
    }
    return program.refused == 0 ? 0 : 32;
}

/* Until NULL; every second object goes, and an eighth as much fits again: of few slots many are in
 * quarantine. */
static int to_the_end(void *memory, size_t bytes)
{
    static uint8_t *objects[1 << 20];
    static const size_t each[] = {20, 200, 3000, 60000, 500000};
    struct bw_heap *heap =
        bw_heap_create(&(struct bw_config){.pages = bw_fixed_pages(memory, bytes, key)});
    if (heap == NULL)
        return 40;
    for (unsigned k = 0; k < sizeof each / sizeof each[0]; k++) {
        size_t count = 0, again = 0;
        errno = 0;
        while ((objects[count] = bw_malloc(heap, each[k])) != NULL)
            memset(objects[count++], 1, each[k]);
        if (errno != ENOMEM || count < 8)
            return 41;
        for (size_t i = 0; i < count; i += 2)
            bw_free(heap, objects[i]);
        while (again < 1 + count / 16 && bw_malloc(heap, each[k]) != NULL)
            again++;
        if (again == 0 || again < count / 16)
            return 42;
        bw_heap_reset(heap, 0);
    }
    bw_heap_destroy(heap);
    return 0;
}

static void a_fixed_region_needs_no_system_call(void **state)
{
    (void)state;
    int killed = without_system_calls(system_call, 1 << 20);
    assert_true(WIFSIGNALED(killed) && WTERMSIG(killed) == SIGSYS);
    assert_int_equal(without_system_calls(whole_life, 192u << 20), 0);
    assert_int_equal(without_system_calls(to_the_end, 64u << 20), 0);
    assert_int_equal(without_system_calls(to_the_end, 8u << 20), 0);
}

static void a_region_too_small_is_an_error(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes <= 4 << 20; bytes += 28 << 10) {
        uint8_t *memory = region((4 << 20) + 1);
        const struct bw_pages *pages = bw_fixed_pages(memory + 1, bytes, key);
        if (pages != NULL) {
            errno = 0;
            struct bw_heap *heap = bw_heap_create(&(struct bw_config){.pages = pages});
            assert_true(heap != NULL || errno == ENOMEM);
            assert_true(heap != NULL || bytes < 4 << 20);
            if (heap != NULL)
                bw_free(heap, bw_malloc(heap, 10));
            bw_heap_destroy(heap);
        }
        (void)munmap(memory, (4 << 20) + 1);
    }
}

static void regions_are_independent(void **state)
{
    (void)state;
    enum { BYTES = 16 << 20 };
    uint8_t *memory[2], *first[2];
    struct bw_heap *heaps[2];
    for (int i = 0; i < 2; i++) {
        memory[i] = region(BYTES);
        heaps[i] =
            bw_heap_create(&(struct bw_config){.pages = bw_fixed_pages(memory[i], BYTES, key)});
        assert_non_null(heaps[i]);
        first[i] = bw_malloc(heaps[i], 100);
        assert_in_range(first[i] - memory[i], 0, BYTES);
    }
    memset(first[0], 7, 100);
    bw_heap_destroy(heaps[1]);
    assert_int_equal(first[0][99], 7);
    bw_free(heaps[0], first[0]);
    bw_heap_destroy(heaps[0]);
    (void)munmap(memory[0], BYTES);
    (void)munmap(memory[1], BYTES);
}

/* ---- a provider that fails ---- */

static struct bw_pages failing;
static struct bw_page_moves failing_moves;
static unsigned requests, fail_from, fail_count;

static bool refused(void)
{
    requests++;
    return requests >= fail_from && requests - fail_from < fail_count;
}

static void *failing_reserve(const struct bw_pages *pages, void *at, size_t bytes)
{
    return refused() ? NULL : bw_system_pages.reserve(pages, at, bytes);
}

static bool failing_commit(const struct bw_pages *pages, void *p, size_t bytes)
{
    return !refused() && bw_system_pages.commit(pages, p, bytes);
}

static bool failing_decommit(const struct bw_pages *pages, void *p, size_t bytes)
{
    return !refused() && bw_system_pages.decommit(pages, p, bytes);
}

static bool failing_purge(const struct bw_pages *pages, void *p, size_t bytes)
{
    return !refused() && bw_system_pages.purge(pages, p, bytes);
}

static bool failing_guard(const struct bw_pages *pages, void *p, size_t bytes)
{
    return !refused() && bw_system_pages.guard(pages, p, bytes);
}

static bool failing_move(const struct bw_pages *pages, void *to, size_t to_bytes, void *from,
                         size_t bytes, bool *ret_lost)
{
    return !refused() && bw_system_pages.moves->move(pages, to, to_bytes, from, bytes, ret_lost);
}

static bool failing_cheap_guard(const struct bw_pages *pages, void *p, size_t bytes)
{
    return !refused() && bw_system_pages.moves->guard(pages, p, bytes);
}

static bool failing_unguard(const struct bw_pages *pages, void *p, size_t bytes)
{
    return !refused() && bw_system_pages.moves->unguard(pages, p, bytes);
}

static size_t no_limit(const struct bw_pages *pages)
{
    (void)pages;
    return SIZE_MAX;
}

static size_t some_limit(const struct bw_pages *pages)
{
    (void)pages;
    return (size_t)64 << 30;
}

/* `count` requests in a row from the k-th on, for every k, until the program never came so far. */
static void fail_everywhere(unsigned count, size_t (*limit)(const struct bw_pages *))
{
    failing = bw_system_pages;
    failing_moves = *bw_system_pages.moves;
    failing.reserve = failing_reserve;
    failing.commit = failing_commit;
    failing.decommit = failing_decommit;
    failing.purge = failing_purge;
    failing.guard = failing_guard;
    failing.limit = limit;
    failing.moves = &failing_moves;
    failing_moves.move = failing_move;
    failing_moves.guard = failing_cheap_guard;
    failing_moves.unguard = failing_unguard;
    fail_count = count;
    unsigned k = 1, unmade = 0;
    for (requests = UINT32_MAX; requests >= k; k += 1 + k / 24) {
        struct program program = {.x = 7};
        requests = 0;
        fail_from = k;
        errno = 0;
        program.heap = bw_heap_create(
            &(struct bw_config){.seed = 1, .deterministic = true, .pages = &failing});
        if (program.heap == NULL) {
            assert_int_equal(errno, ENOMEM);
            unmade++;
            continue;
        }
        assert_int_equal(run(&program, 150), 0);
        bw_heap_reset(program.heap, 2);
        assert_int_equal(run(&program, 150), 0);
        bw_heap_destroy(program.heap);
    }
    assert_in_range(k, 100, 1000000);
    assert_in_range(unmade, 0, 40);
}

static void any_request_may_fail(void **state)
{
    (void)state;
    fail_everywhere(1, no_limit);
    fail_everywhere(1, some_limit);
}

static void many_requests_may_fail(void **state)
{
    (void)state;
    fail_everywhere(20, no_limit);
    fail_everywhere(20, some_limit);
}

/* ---- S30, wherever the heap stands ---- */

static void *not_there(const struct bw_pages *pages, void *at, size_t bytes)
{
    return at != NULL ? NULL : bw_system_pages.reserve(pages, at, bytes);
}

static bool is_near(const uint8_t *p, size_t size, const void *part, size_t bytes)
{
    const uint8_t *from = part;
    return bytes != 0 && p < from + bytes + BW_PAGES_REACH && from < p + size + BW_PAGES_REACH;
}

static void assert_nothing_near(const struct bw_heap *heap, const uint8_t *p, size_t size)
{
    assert_false(is_near(p, size, heap, sizeof *heap));
    for (unsigned i = 0; i < BW_CLASS_COUNT; i++)
        assert_false(is_near(p, size, heap->classes[i].meta, heap->classes[i].meta_committed));
    for (const struct bw_cache *cache = heap->caches; cache != NULL; cache = cache->next)
        assert_false(is_near(p, size, cache, sizeof *cache));
    assert_false(
        is_near(p, size, heap->large.table, heap->large.capacity * sizeof heap->large.table[0]));
}

static void no_record_is_within_reach_of_an_object(void **state)
{
    enum { KINDS = 4, EACH = 40, BYTES = 128 << 20 };
    struct bw_pages limited = bw_system_pages, cramped = bw_system_pages;
    uint8_t *memory = region(BYTES);
    (void)state;
    limited.limit = cramped.limit = some_limit;
    cramped.reserve = not_there;
    const struct bw_pages *const kinds[KINDS] = {NULL, &limited, &cramped,
                                                 bw_fixed_pages(memory, BYTES, key)};
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct bw_heap *heap = bw_heap_create(&(struct bw_config){.pages = kinds[kind]});
        assert_non_null(heap);
        for (unsigned i = 0; i < EACH * sizeof sizes / sizeof sizes[0]; i++) {
            size_t size = sizes[i / EACH];
            const uint8_t *p = bw_malloc(heap, size);
            assert_non_null(p);
            assert_nothing_near(heap, p, size);
            if (kind == KINDS - 1)
                assert_false(is_near(p, size, memory, 4096));
        }
        bw_heap_destroy(heap);
    }
    (void)munmap(memory, BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fixed_region_needs_no_system_call),
        cmocka_unit_test(a_region_too_small_is_an_error),
        cmocka_unit_test(regions_are_independent),
        cmocka_unit_test(any_request_may_fail),
        cmocka_unit_test(many_requests_may_fail),
        cmocka_unit_test(no_record_is_within_reach_of_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

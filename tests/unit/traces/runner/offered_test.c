/* The executor on what few subjects offer: a zeroing resize, good sizes, statistics, a heap walk.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "traces/runner/executor.h"

enum { SLOT = 256, SLOTS = 64 };

/* Slots of one size, usable up to a multiple of 64, that can be told to misbehave. */
static char pool[SLOTS][SLOT] __attribute__((aligned(4096)));
static size_t bytes_of[SLOTS];
static char live[SLOTS];
static size_t dirty_from, dirty_to, walk_less;
static int walk_dead, walk_code;

static size_t index_of(const void *p)
{
    return (size_t)((const char *)p - pool[0]) / SLOT;
}

static void *t_malloc(size_t size)
{
    for (size_t i = 0; size <= SLOT && i < SLOTS; i++)
        if (!live[i]) {
            live[i] = 1;
            bytes_of[i] = size;
            return pool[i];
        }
    errno = ENOMEM;
    return NULL;
}
static void t_free(void *p)
{
    if (p)
        live[index_of(p)] = 0;
}
static size_t t_usable(void *p)
{
    return p ? (bytes_of[index_of(p)] + 63) / 64 * 64 : 0;
}
static void *t_rezalloc(void *p, size_t size)
{
    char *q = t_malloc(size);
    if (!q)
        return NULL;
    size_t had = p ? t_usable(p) : 0;
    memset(q, 0xdd, SLOT);
    if (p)
        memcpy(q, p, had < size ? had : size);
    if (size > had)
        memset(q + had, 0, size - had);
    for (size_t i = dirty_from; i < dirty_to; i++)
        q[i] = i < had ? 0 : 3;
    t_free(p);
    return q;
}
/* Refuses whatever it is asked for, and not with ENOMEM. */
static void *t_reallocarray(void *p, size_t count, size_t size)
{
    (void)p, (void)count, (void)size;
    errno = EOVERFLOW;
    return NULL;
}
static size_t t_good(size_t size)
{
    return (size + 63) / 64 * 64;
}
static size_t t_statistics(int mapped)
{
    return mapped ? 2000 : 1000;
}
static int t_walk(void (*block)(void *argument, void *address, size_t bytes), void *argument)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (live[i] || (int)i == walk_dead)
            block(argument, pool[i], t_usable(pool[i]) - walk_less);
    return walk_code;
}

static const struct assay_subject subject = {.malloc = t_malloc,
                                             .free = t_free,
                                             .malloc_usable_size = t_usable,
                                             .rezalloc = t_rezalloc,
                                             .reallocarray = t_reallocarray,
                                             .malloc_good_size = t_good,
                                             .statistics = t_statistics,
                                             .heap_walk = t_walk};
static struct assay_arena arena;
static struct assay_executor *executor;

static int setup(void **state)
{
    struct assay_executor_config config = {.subject = &subject,
                                           .touch = ASSAY_TOUCH_FULL,
                                           .ask_usable = true,
                                           .usable_writable = true,
                                           .max_objects = 100,
                                           .seed = 1};
    (void)state;
    memset(live, 0, sizeof live);
    dirty_from = dirty_to = walk_less = 0;
    walk_dead = -1;
    walk_code = 0;
    assert_int_equal(assay_arena_create(&arena, assay_executor_bytes(&config), NULL), 0);
    executor = assay_executor_create(&arena, &config);
    assert_non_null(executor);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    assay_arena_destroy(&arena);
    return 0;
}

#define RUN(...)                                                                                   \
    struct assay_event ops[] = {__VA_ARGS__};                                                      \
    assay_executor_run(executor, ops, sizeof ops / sizeof *ops, NULL)
#define OP(KIND, ...)                                                                              \
    {                                                                                              \
        .kind = ASSAY_OP_##KIND, __VA_ARGS__                                                       \
    }

static void what_is_offered_is_not_missing(void **state)
{
    (void)state;
    uint64_t missing = assay_executor_missing(&subject);
    for (unsigned kind = ASSAY_OP_REZALLOC; kind <= ASSAY_OP_HEAP_WALK; kind++)
        assert_int_equal(missing >> kind & 1, 0);
    assert_int_equal(missing >> ASSAY_OP_CALLOC & 1, 1);
}

static void questions_are_answered(void **state)
{
    (void)state;
    RUN(OP(GOOD_SIZE, .size = 65), OP(STATISTICS), OP(STATISTICS, .arg = 1));
    assert_int_equal(ops[0].value, 128);
    assert_int_equal(ops[1].value, 1000);
    assert_int_equal(ops[2].value, 2000);
}

static void rezalloc_keeps_and_zeroes(void **state)
{
    (void)state;
    RUN(OP(MALLOC, .born = 1, .size = 20), OP(REZALLOC, .object = 1, .born = 2, .size = 100),
        OP(REZALLOC, .object = 2, .born = 3, .size = 50), OP(REZALLOC, .born = 4, .size = 30));
    for (int i = 1; i < 4; i++) {
        assert_true(ops[i].address != 0);
        assert_int_equal(ops[i].failed, 0);
    }
    assert_true(ops[1].checked & ASSAY_FACT_ZERO);
    assert_true(ops[1].checked & ASSAY_FACT_PREFIX);
}

static void a_byte_behind_the_usable_ones_is_not_zero(void **state)
{
    (void)state;
    dirty_from = 70;
    dirty_to = 71;
    RUN(OP(MALLOC, .born = 1, .size = 20), OP(REZALLOC, .object = 1, .born = 2, .size = 100));
    assert_int_equal(ops[1].failed, ASSAY_FACT_ZERO);
    assert_int_equal(ops[1].wrong_at, 70);
}

static void a_usable_byte_is_zeroed(void **state)
{
    (void)state;
    dirty_from = 30;
    dirty_to = 31;
    RUN(OP(MALLOC, .born = 1, .size = 20), OP(REZALLOC, .object = 1, .born = 2, .size = 100));
    assert_int_equal(ops[1].failed, ASSAY_FACT_ZERO);
    assert_int_equal(ops[1].wrong_at, 30);
}

static void a_walk_shows_what_lives(void **state)
{
    (void)state;
    RUN(OP(MALLOC, .born = 1, .size = 20), OP(MALLOC, .born = 2, .size = 200),
        OP(MALLOC, .born = 3, .size = 30), OP(FREE, .object = 2), OP(HEAP_WALK));
    assert_int_equal(ops[4].value, 0);
    assert_int_equal(ops[4].error, 0);
}

static void a_product_that_wraps_to_nothing_frees_nothing(void **state)
{
    (void)state;
    RUN(OP(MALLOC, .born = 1, .size = 20),
        OP(REALLOCARRAY, .object = 1, .born = 2, .arg = INT64_C(1) << 30, .size = INT64_C(1) << 34),
        OP(HEAP_WALK), OP(REALLOCARRAY, .object = 1, .born = 3, .arg = 0, .size = 8),
        OP(HEAP_WALK));
    assert_int_equal(ops[2].value, 0);
    assert_int_equal(ops[4].value, 1); /* that would have */
}

static void a_walk_shows_what_is_dead(void **state)
{
    (void)state;
    walk_dead = 1;
    RUN(OP(MALLOC, .born = 1, .size = 20), OP(MALLOC, .born = 2, .size = 200),
        OP(FREE, .object = 2), OP(HEAP_WALK));
    assert_int_equal(ops[3].value, 1);
    assert_int_equal(ops[3].wrong_at, 2);
}

static void a_walk_shows_too_little(void **state)
{
    (void)state;
    walk_less = 64;
    RUN(OP(MALLOC, .born = 1, .size = 20), OP(MALLOC, .born = 2, .size = 100), OP(HEAP_WALK));
    assert_int_equal(ops[2].value, 2);
}

static void a_walk_that_failed_shows_nothing(void **state)
{
    (void)state;
    walk_code = ENOTSUP;
    RUN(OP(MALLOC, .born = 1, .size = 20), OP(HEAP_WALK));
    assert_int_equal(ops[1].value, 0);
    assert_int_equal(ops[1].error, ENOTSUP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_offered_is_not_missing),
        TEST(questions_are_answered),
        TEST(a_product_that_wraps_to_nothing_frees_nothing),
        TEST(rezalloc_keeps_and_zeroes),
        TEST(a_byte_behind_the_usable_ones_is_not_zero),
        TEST(a_usable_byte_is_zeroed),
        TEST(a_walk_shows_what_lives),
        TEST(a_walk_shows_what_is_dead),
        TEST(a_walk_shows_too_little),
        TEST(a_walk_that_failed_shows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the allocator's unit tests use of cmocka, for machines that it is not installed for. */
#ifndef TESTS_SUPPORT_PLAIN_CMOCKA_H
#define TESTS_SUPPORT_PLAIN_CMOCKA_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
};

static jmp_buf plain_end;

static inline void plain_check(int holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    printf("[  ERROR   ] --- %s\n%s:%d: error: Failure!\n", what, file, line);
    longjmp(plain_end, 1);
}

#define plain_assert(holds)        plain_check((holds) != 0, #holds, __FILE__, __LINE__)
#define skip()                     longjmp(plain_end, 2)
#define fail_msg(...)              (printf(__VA_ARGS__), plain_check(0, "", __FILE__, __LINE__))
#define assert_true(c)             plain_assert(c)
#define assert_false(c)            plain_assert(!(c))
#define assert_int_equal(a, b)     plain_assert((unsigned long)(a) == (unsigned long)(b))
#define assert_int_not_equal(a, b) plain_assert((unsigned long)(a) != (unsigned long)(b))
#define assert_ptr_equal(a, b)     plain_assert((const void *)(a) == (const void *)(b))
#define assert_ptr_not_equal(a, b) plain_assert((const void *)(a) != (const void *)(b))
#define assert_non_null(p)         plain_assert((p) != NULL)
#define assert_null(p)             plain_assert((p) == NULL)
#define assert_in_range(n, least, most)                                                            \
    plain_assert((unsigned long)(n) >= (unsigned long)(least) &&                                   \
                 (unsigned long)(n) <= (unsigned long)(most))
#define assert_memory_equal(a, b, bytes)     plain_assert(memcmp(a, b, bytes) == 0)
#define assert_memory_not_equal(a, b, bytes) plain_assert(memcmp(a, b, bytes) != 0)
#define assert_string_equal(a, b)            plain_assert(strcmp(a, b) == 0)
#define cmocka_unit_test(function)                                                                 \
    {                                                                                              \
#function, function                                                                        \
    }

static inline int plain_run_one(const struct CMUnitTest *test, void **state)
{
    printf("[ RUN      ] %s\n", test->name);
    int result = setjmp(plain_end);
    if (result == 0)
        test->test(state);
    printf("[ %s ] %s\n",
           result == 0   ? "      OK"
           : result == 2 ? " SKIPPED"
                         : "  FAILED",
           test->name);
    return result == 1;
}

static inline int plain_run(const struct CMUnitTest *tests, size_t count, int (*set_up)(void **),
                            int (*tear_down)(void **))
{
    void *state = NULL;
    int failed = 0;
    setbuf(stdout, NULL);
    if (set_up != NULL && set_up(&state) != 0)
        return 1;
    for (size_t i = 0; i < count; i++)
        failed += plain_run_one(&tests[i], &state);
    if (tear_down != NULL)
        (void)tear_down(&state);
    return failed != 0;
}

#define cmocka_run_group_tests(tests, set_up, tear_down)                                           \
    plain_run(tests, sizeof(tests) / sizeof((tests)[0]), set_up, tear_down)
#endif

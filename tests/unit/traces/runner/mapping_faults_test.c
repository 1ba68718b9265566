/* Mapping calls that fail by a schedule: allocators answer NULL with ENOMEM or find another way,
 * and nothing else breaks. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "traces/runner/session.h"
#include "traces/runner/shared.h"
#include "traces/runner/supervise.h"

enum { OBJECTS = 60, STAYING = 20, CALLS = 3 * OBJECTS, OPS = CALLS + 2 };

#define KIND(name) (1u << ASSAY_MAPPING_##name)

static void skip_where_refused(void)
{
    int error = assay_supervisor_check();
    if (error != 0) {
        print_message("user notification is refused here: %s\n", strerror(error));
        skip();
    }
}

/* Each object is born, grown and given back; every fifth is large. Some stay for a while. What the
 * first op sets is lifted by the last. */
static void write_program(struct assay_event *ops, struct assay_event refuse)
{
    size_t n = 0;
    memset(ops, 0, OPS * sizeof *ops);
    ops[n++] = refuse;
    for (uint32_t i = 0; i < OBJECTS; i++) {
        uint64_t size = i % 5 == 0 ? 150000 + 4096 * i : 32 + 60 * i;
        ops[n++] = (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = size, .born = 2 * i + 1};
        ops[n++] = (struct assay_event){
            .kind = ASSAY_OP_REALLOC, .object = 2 * i + 1, .size = 2 * size, .born = 2 * i + 2};
        if (i >= STAYING)
            ops[n++] = (struct assay_event){.kind = ASSAY_OP_FREE, .object = 2 * (i - STAYING) + 2};
        else
            ops[n++] = (struct assay_event){
                .kind = ASSAY_OP_CALLOC, .size = 1, .arg = 2 * size, .born = 2 * OBJECTS + i + 1};
    }
    ops[n] = assay_mapping_op(0, 0, 0);
}

static uint64_t sum(const uint64_t *counts)
{
    uint64_t all = 0;
    for (int kind = 0; kind < ASSAY_MAPPING_CALLS; kind++)
        all += counts[kind];
    return all;
}

/* What came back; every failure must have been told as one. */
static struct assay_session_status run(const char *subject, struct assay_event refuse,
                                       unsigned *ret_refused)
{
    struct assay_subject_spec spec;
    struct assay_session *session;
    struct assay_session_status status;
    struct assay_error err = {0};
    size_t n, capacity;
    if (assay_subject_find(subject, &spec, &err) != 0) {
        print_message("%s\n", err.text);
        skip();
    }
    const struct assay_session_config config = {.subject = &spec,
                                                .touch = ASSAY_TOUCH_FULL,
                                                .max_objects = 4 * OBJECTS,
                                                .want_results = true,
                                                .frozen = true,
                                                .seed = 1,
                                                .environment.mapping_calls = true,
                                                .hang_ms = 20000};
    if (assay_session_start(&config, &session, &err) != 0)
        fail_msg("%s", err.text);
    write_program(assay_session_chunk(session, &capacity), refuse);
    assay_session_submit(session, OPS, true);
    const struct assay_event *results = assay_session_collect(session, &n);
    *ret_refused = 0;
    for (size_t i = 0; results && i < n; i++) {
        bool allocates = results[i].born != 0 && !(results[i].flags & ASSAY_FLAG_SKIPPED);
        if (!(results[i].flags & ASSAY_FLAG_EXECUTED))
            continue;
        assert_int_equal(results[i].failed, 0);
        if (allocates && results[i].address == 0) {
            assert_int_equal(results[i].error, ENOMEM);
            ++*ret_refused;
        }
    }
    uint64_t told = n == OPS ? results[OPS - 1].value : 0;
    assay_session_release(session);
    assay_session_wait(session, &status);
    if (status.state != ASSAY_SESSION_ENDED)
        fail_msg("%s, call %llu of kinds %x: state %d, signal %d at op %llu: %s", subject,
                 (unsigned long long)refuse.size, (unsigned)refuse.arg & 0xff, (int)status.state,
                 status.signal, (unsigned long long)status.op_index, status.stderr_text);
    assert_int_equal(n, OPS);
    assert_int_equal(told, sum(status.supervision.mapping.failed));
    assert_true(status.supervision.works);
    assay_session_close(session);
    return status;
}

static void calls_are_counted(void **state)
{
    (void)state;
    unsigned refused;
    skip_where_refused();
    struct assay_session_status whole = run("glibc", assay_mapping_op(0, 0, 0), &refused);
    assert_int_equal(refused, 0);
    assert_true(whole.supervision.mapping.seen[ASSAY_MAPPING_MMAP] > 0);
    assert_true(whole.supervision.mapping.seen[ASSAY_MAPPING_BRK] > 0);
    assert_int_equal(sum(whole.supervision.mapping.failed), 0);
    struct assay_session_status late =
        run("glibc", assay_mapping_op(ASSAY_MAPPING_ALL, UINT32_MAX, 1), &refused);
    assert_int_equal(sum(late.supervision.mapping.seen), sum(whole.supervision.mapping.seen));
    assert_int_equal(sum(late.supervision.mapping.failed), 0);
}

/* The first, the second, ... until none is left. */
static void fail_each(const char *subject, uint32_t kinds)
{
    unsigned refused, refusals = 0;
    uint64_t k = 1;
    for (bool more = true; more; k++) {
        struct assay_session_status status = run(subject, assay_mapping_op(kinds, k, 1), &refused);
        more = sum(status.supervision.mapping.failed) == 1;
        assert_true(refused <= more);
        refusals += refused;
    }
    assert_true(k > 2);
    print_message("%s: %u refusals\n", subject, refusals);
}

static void one_failure_is_survived(void **state)
{
    (void)state;
    skip_where_refused();
    fail_each("glibc", KIND(MMAP) | KIND(MREMAP) | KIND(BRK));
    fail_each("jemalloc", KIND(MMAP) | KIND(MREMAP));
    fail_each(ASSAY_BINARY_DIR "/lib/libbulwark.so", KIND(MMAP) | KIND(MREMAP) | KIND(MPROTECT));
}

static void when_all_fail_malloc_says_so(void **state)
{
    (void)state;
    static const char *const subjects[] = {"glibc", ASSAY_BINARY_DIR "/lib/libbulwark.so"};
    unsigned refused;
    skip_where_refused();
    for (size_t i = 0; i < 2; i++) {
        uint32_t kinds = KIND(MMAP) | KIND(MREMAP) | KIND(BRK) | KIND(MPROTECT);
        struct assay_session_status status =
            run(subjects[i], assay_mapping_op(kinds, 4, 0), &refused);
        assert_true(refused > 0);
        assert_true(sum(status.supervision.mapping.failed) > 4);
    }
}

/* What a process sees whose break does not move: sbrk must not lose its place. */
static void a_failing_break_stays_where_it_is(void **state)
{
    (void)state;
    static struct assay_shared shared;
    const struct assay_supervise_config config = {.mapping_calls = true, .shared = &shared};
    struct assay_supervisor *supervisor;
    struct assay_supervision seen;
    int status;
    skip_where_refused();
    atomic_store(&shared.boot, ASSAY_BOOT_READY);
    shared.mapping.schedule =
        (struct assay_mapping_schedule){.kinds = KIND(BRK), .first = 2, .many = 2};
    atomic_store(&shared.mapping.turn, 1);
    assert_int_equal(assay_supervisor_create(&config, &supervisor, NULL), 0);
    pid_t pid = fork();
    if (pid == 0) {
        assay_supervisor_enter(supervisor);
        char *start = sbrk(0);
        int wrong = start == (char *)-1 || sbrk(100001) != start;
        wrong |= (sbrk(4096) != (char *)-1 || errno != ENOMEM) * 2;
        wrong |= (sbrk(0) != start + 100001) * 4;
        wrong |= (sbrk(4096) != (char *)-1) * 8;
        wrong |= (sbrk(4096) != start + 100001) * 16;
        _exit(wrong);
    }
    assay_supervisor_forked(supervisor);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assay_supervisor_look(supervisor, &seen);
    assay_supervisor_close(supervisor);
    assert_int_equal(status, 0);
    assert_int_equal(seen.mapping.seen[ASSAY_MAPPING_BRK], 4);
    assert_int_equal(seen.mapping.failed[ASSAY_MAPPING_BRK], 2);
}

static void partial_order_is_refused(void **state)
{
    (void)state;
    struct assay_subject_spec spec;
    struct assay_session *session;
    struct assay_error err;
    assert_int_equal(assay_subject_find("glibc", &spec, &err), 0);
    const struct assay_session_config config = {.subject = &spec,
                                                .environment.order = ASSAY_ORDER_PARTIAL,
                                                .max_objects = 10,
                                                .environment.mapping_calls = true};
    assert_int_equal(assay_session_start(&config, &session, &err), ASSAY_E_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted),
        cmocka_unit_test(one_failure_is_survived),
        cmocka_unit_test(when_all_fail_malloc_says_so),
        cmocka_unit_test(a_failing_break_stays_where_it_is),
        cmocka_unit_test(partial_order_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed != 0 || assay_supervisor_check() == 0 ? failed : 5; /* what could run did */
}

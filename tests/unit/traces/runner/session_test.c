/* Sessions: a child executes what it is given, and whatever the subject does is survived and told.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support/counting.h"
#include "traces/runner/session.h"

#define SUPPORT(name) ASSAY_BINARY_DIR "/lib/support/" name ".so"

enum { OPS = 200, OBJECTS = 100000 };

static struct assay_subject_spec find(const char *text)
{
    struct assay_subject_spec spec;
    struct assay_error err = {0};
    if (assay_subject_find(text, &spec, &err) != 0)
        fail_msg("%s", err.text);
    return spec;
}

/* OPS mallocs and frees, each object of a new number. */
static size_t program(struct assay_event *ops, uint32_t first)
{
    memset(ops, 0, OPS * sizeof *ops);
    for (uint32_t i = 0; i < OPS; i += 2) {
        ops[i] = (struct assay_event){
            .kind = ASSAY_OP_MALLOC, .size = 16 + i % 64, .born = first + i / 2};
        ops[i + 1] = (struct assay_event){.kind = ASSAY_OP_FREE, .object = first + i / 2};
    }
    return OPS;
}

static struct assay_session_status run_one(const struct assay_session_config *config)
{
    struct assay_session *session;
    struct assay_session_status status;
    struct assay_error err = {0};
    size_t capacity;
    assert_int_equal(assay_session_start(config, &session, &err), 0);
    struct assay_event *ops = assay_session_chunk(session, &capacity);
    if (ops) {
        assert_true(capacity >= OPS);
        assay_session_submit(session, program(ops, 1), true);
    }
    assay_session_wait(session, &status);
    assay_session_close(session);
    return status;
}

static struct assay_session_config configuration(const struct assay_subject_spec *spec)
{
    return (struct assay_session_config){.subject = spec,
                                         .touch = ASSAY_TOUCH_FULL,
                                         .max_objects = OBJECTS,
                                         .seed = 1,
                                         .hang_ms = 300};
}

static void ops_come_back_with_results(void **state)
{
    (void)state;
    struct assay_subject_spec spec = find("glibc");
    struct assay_session_config config = configuration(&spec);
    config.want_results = true;
    struct assay_session *session;
    struct assay_session_status status;
    struct assay_error err;
    assert_int_equal(assay_session_start(&config, &session, &err), 0);
    size_t n, capacity;
    for (uint32_t round = 0; round < 20; round++) {
        struct assay_event *ops = assay_session_chunk(session, &capacity);
        assert_non_null(ops);
        assay_session_submit(session, program(ops, 1 + round * OPS), round % 3 == 0);
        const struct assay_event *results = assay_session_collect(session, &n);
        assert_non_null(results);
        assert_int_equal(n, OPS);
        for (size_t i = 0; i < n; i++) {
            assert_true(results[i].flags & ASSAY_FLAG_EXECUTED);
            assert_true(results[i].address != 0);
            assert_int_equal(results[i].failed, 0);
            if (results[i].kind == ASSAY_OP_FREE)
                assert_true(results[i].checked & ASSAY_FACT_CONTENT);
        }
        assay_session_evidence(session, &n);
        assert_int_equal(n, 0);
        assay_session_release(session);
    }
    assert_null(assay_session_collect(session, &n));
    assay_session_wait(session, &status);
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    assert_int_equal(status.executed, 20 * OPS);
    assert_int_equal(status.skipped, 0);
    assert_true(status.ns_per_event > 0);
    assert_true(status.peak_rss_bytes > 0);
    assay_session_close(session);
}

static void chunks_flow_without_results(void **state)
{
    (void)state;
    struct assay_subject_spec spec = find("glibc");
    struct assay_session_config config = configuration(&spec);
    struct assay_session *session;
    struct assay_session_status status;
    assert_int_equal(assay_session_start(&config, &session, NULL), 0);
    for (uint32_t round = 0; round < 200; round++) {
        size_t capacity;
        struct assay_event *ops = assay_session_chunk(session, &capacity);
        assert_non_null(ops);
        assay_session_submit(session, program(ops, 1 + round * OPS), round == 199);
    }
    assay_session_wait(session, &status);
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    assert_int_equal(status.executed, 200 * OPS);
    assay_session_close(session);
}

static void a_crash_is_recorded_with_the_ops_before_it(void **state)
{
    (void)state;
    struct assay_subject_spec spec = find(SUPPORT("crashes"));
    struct assay_session_config config = configuration(&spec);
    config.want_results = true;
    struct assay_session *session;
    struct assay_session_status status;
    size_t n, capacity;
    assert_int_equal(assay_session_start(&config, &session, NULL), 0);
    struct assay_event *ops = assay_session_chunk(session, &capacity);
    assay_session_submit(session, program(ops, 1), true);
    const struct assay_event *results = assay_session_collect(session, &n);
    assert_non_null(results);
    assert_int_equal(n, 99); /* the 50th malloc is op 98 */
    assert_true(results[97].flags & ASSAY_FLAG_EXECUTED);
    assert_false(results[98].flags & ASSAY_FLAG_EXECUTED);
    assay_session_release(session);
    assay_session_wait(session, &status);
    assert_int_equal(status.state, ASSAY_SESSION_CRASHED);
    assert_int_equal(status.signal, SIGSEGV);
    assert_int_equal(status.op_index, 98);
    assert_int_equal(status.crash_address, 0x1230);
    assert_true(status.crash_pc != 0);
    assert_null(assay_session_chunk(session, &capacity));
    assay_session_close(session);
}

static void abort_exit_hang_and_hunger_are_survived(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum assay_session_state state;
        int signal;
    } cases[] = {
        {SUPPORT("plain"), ASSAY_SESSION_ENDED, 0},
        {SUPPORT("aborts"), ASSAY_SESSION_CRASHED, SIGABRT},
        {SUPPORT("exits"), ASSAY_SESSION_EXITED, 0},
        {SUPPORT("hangs"), ASSAY_SESSION_HUNG, 0},
        {SUPPORT("eats"), ASSAY_SESSION_MEMORY, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct assay_subject_spec spec = find(cases[i].path);
        struct assay_session_config config = configuration(&spec);
        config.memory_bytes = 200 << 20;
        if (cases[i].state == ASSAY_SESSION_MEMORY)
            config.hang_ms = 20000;
        struct assay_session_status status = run_one(&config);
        assert_int_equal(status.state, cases[i].state);
        assert_int_equal(status.signal, cases[i].signal);
        if (status.state != ASSAY_SESSION_ENDED)
            assert_int_equal(status.op_index, 98);
        if (cases[i].signal == SIGABRT)
            assert_string_equal(status.stderr_text, "allocator: heap corrupted\n");
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One that waits, or spins, is told after its time; one that was only kept from running is not. */
static void a_hang_is_no_starving(void **state)
{
    (void)state;
    static const char *const hanging[] = {SUPPORT("blocks"), SUPPORT("hangs")};
    for (size_t i = 0; i < 2; i++) {
        struct assay_subject_spec spec = find(hanging[i]);
        struct assay_session_config config = configuration(&spec);
        config.hang_ms = 1000;
        double start = seconds();
        struct assay_session_status status = run_one(&config);
        double took = seconds() - start;
        assert_int_equal(status.state, ASSAY_SESSION_HUNG);
        assert_int_equal(status.op_index, 98);
        assert_true(took >= 1);
    }
    struct assay_subject_spec spec = find(SUPPORT("stops"));
    struct assay_session_config config = configuration(&spec);
    double start = seconds();
    assert_int_equal(run_one(&config).state, ASSAY_SESSION_ENDED);
    assert_true(seconds() - start > 1.5);
}

static void megabytes_on_stderr_are_bounded(void **state)
{
    (void)state;
    struct assay_subject_spec spec = find(SUPPORT("shouts"));
    struct assay_session_config config = configuration(&spec);
    config.hang_ms = 5000;
    struct assay_session_status status = run_one(&config);
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    assert_in_range(status.stderr_bytes, 1 << 19, 1 << 20);
    assert_int_equal(strlen(status.stderr_text), sizeof status.stderr_text - 1);
}

static void a_subject_that_dies_at_start_is_one_clear_line(void **state)
{
    (void)state;
    struct assay_subject_spec spec = find(SUPPORT("dies_at_start"));
    struct assay_session_config config = configuration(&spec);
    struct assay_session *session;
    struct assay_error err = {0};
    uint64_t missing;
    assert_int_equal(assay_session_start(&config, &session, &err), 0);
    assert_int_equal(assay_session_ready(session, &missing, &err), ASSAY_E_SUBJECT);
    assert_string_equal(err.text, "the subject 'dies_at_start' died of signal 6 before the first "
                                  "call; it said 'allocator: this kernel is too old'");
    assay_session_close(session);
}

static void what_is_no_subject_is_refused(void **state)
{
    (void)state;
    struct assay_subject_spec spec;
    struct assay_error err;
    assert_int_equal(assay_subject_find("/nonexistent/lib.so", &spec, &err), ASSAY_E_NOT_FOUND);
    assert_int_equal(assay_subject_find("nosuchname", &spec, &err), ASSAY_E_NOT_FOUND);
    assert_int_equal(assay_subject_find(SUPPORT("no_free"), &spec, &err), ASSAY_E_SUBJECT);
    assert_non_null(strstr(err.text, "exports no function free"));
    assert_int_equal(assay_subject_find("/etc/passwd", &spec, &err), ASSAY_E_SUBJECT);
    assert_int_equal(assay_subject_find("/tmp", &spec, &err), ASSAY_E_SUBJECT);
    assert_int_equal(assay_subject_find("adapter:/nonexistent.c", &spec, &err), ASSAY_E_NOT_FOUND);
    assert_true(assay_subject_find("/proc/self/exe", &spec, &err) < 0);
}

static void exports_tell_what_is_missing(void **state)
{
    (void)state;
    struct assay_subject_spec spec = find(SUPPORT("plain"));
    assert_string_equal(spec.name, "plain");
    assert_true(spec.missing_apis >> ASSAY_OP_POSIX_MEMALIGN & 1);
    assert_true(spec.missing_apis >> ASSAY_OP_USABLE_SIZE & 1);
    assert_false(spec.missing_apis >> ASSAY_OP_CALLOC & 1);
    spec = find("glibc");
    assert_true(spec.missing_apis >> ASSAY_OP_FREE_SIZED & 1);
    assert_false(spec.missing_apis >> ASSAY_OP_PVALLOC & 1);
    assert_true(strlen(spec.build_id) >= 16);
}

static void functions_chosen_at_load_are_called_by_their_place(void **state)
{
    (void)state;
    static struct assay_subject_names names = {.prefix = "ch_"};
    struct assay_subject_spec spec;
    assert_int_equal(assay_subject_find_named(SUPPORT("chosen"), &names, &spec, NULL), 0);
    struct assay_session_config config = configuration(&spec);
    config.want_results = true;
    struct assay_session *session;
    size_t n, capacity;
    assert_int_equal(assay_session_start(&config, &session, NULL), 0);
    struct assay_event *ops = assay_session_chunk(session, &capacity);
    assert_non_null(ops);
    assay_session_submit(session, program(ops, 1), true);
    const struct assay_event *results = assay_session_collect(session, &n);
    assert_int_equal(n, OPS);
    for (size_t i = 0; i < n; i++)
        assert_true((results[i].flags & ASSAY_FLAG_EXECUTED) && results[i].failed == 0);
    assay_session_release(session);
    assay_session_close(session);
}

static void addresses_repeat_when_frozen(void **state)
{
    (void)state;
    struct assay_subject_spec spec = find("glibc");
    struct assay_session_config config = configuration(&spec);
    config.want_results = config.frozen = true;
    uint64_t first = 0;
    for (int round = 0; round < 2; round++) {
        struct assay_session *session;
        struct assay_session_status status;
        size_t n, capacity;
        assert_int_equal(assay_session_start(&config, &session, NULL), 0);
        struct assay_event *ops = assay_session_chunk(session, &capacity);
        assay_session_submit(session, program(ops, 1), true);
        const struct assay_event *results = assay_session_collect(session, &n);
        assert_non_null(results);
        uint64_t address = results[0].address;
        assay_session_release(session);
        assay_session_wait(session, &status);
        assay_session_close(session);
        if (!status.frozen) {
            print_message("address-space randomisation cannot be switched off here\n");
            skip();
        }
        if (round > 0)
            assert_true(address == first);
        first = address;
    }
}

/* The counting allocator's file, mapped. */
static struct assay_counting *counters(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(struct assay_counting)), 0);
    struct assay_counting *map = mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    close(fd);
    return map;
}

static void the_subject_sees_exactly_the_programs_calls(void **state)
{
    (void)state;
    const enum assay_touch touches[] = {ASSAY_TOUCH_NONE, ASSAY_TOUCH_FULL};
    for (int t = 0; t < 2; t++) {
        char path[] = "/tmp/assay-counting-XXXXXX";
        struct assay_counting *counting = counters(path);
        setenv(ASSAY_COUNTING_VARIABLE, path, 1);
        struct assay_subject_spec spec = find(SUPPORT("counting"));
        struct assay_session_config config = configuration(&spec);
        config.touch = touches[t];
        struct assay_session *session;
        struct assay_session_status status;
        uint64_t missing, before[ASSAY_COUNTED], expected[ASSAY_COUNTED];
        size_t capacity;
        assert_int_equal(assay_session_start(&config, &session, NULL), 0);
        assert_int_equal(assay_session_ready(session, &missing, NULL), 0);
        for (int i = 0; i < ASSAY_COUNTED; i++)
            before[i] = expected[i] = atomic_load(&counting->calls[i]);
        struct assay_event *ops = assay_session_chunk(session, &capacity);
        size_t n = program(ops, 1);
        ops[n++] =
            (struct assay_event){.kind = ASSAY_OP_CALLOC, .size = 3, .arg = 7, .born = OPS + 1};
        ops[n++] = (struct assay_event){
            .kind = ASSAY_OP_REALLOC, .object = OPS + 1, .size = 5000, .born = OPS + 2};
        ops[n++] = (struct assay_event){
            .kind = ASSAY_OP_POSIX_MEMALIGN, .size = 50, .arg = 64, .born = OPS + 3};
        ops[n++] = (struct assay_event){.kind = ASSAY_OP_USABLE_SIZE, .object = OPS + 3};
        assay_session_submit(session, n, true);
        assay_session_wait(session, &status);
        assert_int_equal(status.state, ASSAY_SESSION_ENDED);
        expected[ASSAY_COUNTED_MALLOC] += OPS / 2;
        expected[ASSAY_COUNTED_FREE] += OPS / 2 + 2; /* and what was live at the end */
        expected[ASSAY_COUNTED_CALLOC] += 1;
        expected[ASSAY_COUNTED_REALLOC] += 1;
        expected[ASSAY_COUNTED_ALIGNED] += 1;
        expected[ASSAY_COUNTED_USABLE] += 1;
        for (int i = 0; i < ASSAY_COUNTED; i++)
            assert_int_equal(atomic_load(&counting->calls[i]), expected[i] + status.library_calls);
        assert_int_equal(before[ASSAY_COUNTED_MALLOC], 0); /* nothing before the first op either */
        assay_session_close(session);
        unsetenv(ASSAY_COUNTING_VARIABLE);
        unlink(path);
        munmap(counting, sizeof *counting);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_come_back_with_results),
        cmocka_unit_test(chunks_flow_without_results),
        cmocka_unit_test(a_crash_is_recorded_with_the_ops_before_it),
        cmocka_unit_test(abort_exit_hang_and_hunger_are_survived),
        cmocka_unit_test(a_hang_is_no_starving),
        cmocka_unit_test(megabytes_on_stderr_are_bounded),
        cmocka_unit_test(a_subject_that_dies_at_start_is_one_clear_line),
        cmocka_unit_test(what_is_no_subject_is_refused),
        cmocka_unit_test(exports_tell_what_is_missing),
        cmocka_unit_test(functions_chosen_at_load_are_called_by_their_place),
        cmocka_unit_test(addresses_repeat_when_frozen),
        cmocka_unit_test(the_subject_sees_exactly_the_programs_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The eBPF capture end to end: every call of programs whose calls are known, loss that adds up,
 * process trees, threads, early ends, and nothing left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <cmocka.h>

#include "tests/capture/known_calls.h"
#include "tests/capture/run.h"
#include "traces/capture/ebpf.h"

#define PROGRAM(name) ASSAY_BINARY_DIR "/bin/" name

static int try_capture(struct run *run, char *const *argv, const struct assay_ebpf_tuning *tuning,
                       const volatile sig_atomic_t *stop, struct assay_error *err)
{
    static const struct assay_ebpf_tuning defaults = {0};
    snprintf(run->path, sizeof run->path, "/tmp/assay-ebpf-test-%d.trace", (int)getpid());
    run->config = (struct assay_capture_config){.argv = argv, .output = run->path, .stop = stop};
    return assay_capture_ebpf_tuned(&run->config, tuning ? tuning : &defaults, &run->result, err);
}

static void capture(struct run *run, char *const *argv, const struct assay_ebpf_tuning *tuning)
{
    struct assay_error err;
    *run = (struct run){0};
    if (try_capture(run, argv, tuning, NULL, &err) < 0)
        fail_msg("%s", err.text);
    run_load(run);
}

/* ---- call for call ---- */

static const struct assay_event *marker(const struct run *run, uint64_t size)
{
    for (size_t i = 0; i + 1 < run->n; i++)
        if (run->events[i].kind == ASSAY_OP_MALLOC && run->events[i].size == size)
            return &run->events[i];
    fail_msg("no malloc(%zu) in the trace", (size_t)size);
    return NULL;
}

static void expect(const struct assay_event *e, enum assay_op kind, uint64_t size, uint64_t arg,
                   uint32_t object, size_t r)
{
    bool same_kind = e->kind == kind || (kind == ASSAY_OP_ALIGNED_ALLOC &&
                                         e->kind == ASSAY_OP_MEMALIGN); /* one in glibc 2.36 */
    if (!same_kind || e->size != size || e->arg != arg || e->object != object)
        fail_msg("round %zu: %s(size %zu, arg %zu, object %u), expected %s(%zu, %zu, %u)", r,
                 assay_op_info(e->kind)->name, (size_t)e->size, (size_t)e->arg, e->object,
                 assay_op_info(kind)->name, (size_t)size, (size_t)arg, object);
    assert_int_equal(e->flags & (ASSAY_FLAG_BEGIN | ASSAY_FLAG_END), 0);
    if (assay_event_bears(e)) {
        assert_true(e->born > 0);
        assert_true(e->address != 0);
    }
}

static void check_known(const struct run *run, size_t rounds)
{
    const struct assay_event *e = marker(run, KNOWN_BEGIN);
    uint32_t slots[KNOWN_SLOTS] = {0};
    expect(e + 1, ASSAY_OP_FREE, 0, 0, e->born, 0);
    e += 2;
    for (size_t r = 0; r < rounds; r++, e += KNOWN_CALLS_PER_ROUND) {
        uint32_t *slot = &slots[r % KNOWN_SLOTS];
        expect(&e[0], ASSAY_OP_FREE, 0, 0, *slot, r);
        expect(&e[1], ASSAY_OP_MALLOC, known_malloc(r), 0, 0, r);
        expect(&e[2], ASSAY_OP_CALLOC, known_element(r), known_count(r), 0, r);
        expect(&e[3], ASSAY_OP_REALLOC, known_realloc(r), 0, e[1].born, r);
        expect(&e[4], ASSAY_OP_REALLOCARRAY, known_element(r), known_count(r) + 1, e[2].born, r);
        expect(&e[5], ASSAY_OP_POSIX_MEMALIGN, known_malloc(r), 64, 0, r);
        expect(&e[6], ASSAY_OP_ALIGNED_ALLOC, known_aligned(r), 32, 0, r);
        expect(&e[7], ASSAY_OP_USABLE_SIZE, 0, 0, e[3].born, r);
        assert_true(e[7].value >= known_realloc(r));
        assert_int_equal(e[5].address % 64, 0);
        expect(&e[8], ASSAY_OP_FREE, 0, 0, e[5].born, r);
        expect(&e[9], ASSAY_OP_FREE, 0, 0, e[6].born, r);
        expect(&e[10], ASSAY_OP_FREE, 0, 0, e[4].born, r);
        *slot = e[3].born;
        for (int i = 0; i < KNOWN_CALLS_PER_ROUND; i++) {
            assert_true(e[i].time >= e[i - 1].time);
            assert_true(e[i].site > 0);
        }
    }
    expect(e, ASSAY_OP_MALLOC, KNOWN_END, 0, 0, rounds);
    expect(e + 1, ASSAY_OP_FREE, 0, 0, e->born, rounds);
    assert_int_equal(run->result.totals.dropped, 0);
    assert_int_equal(run->result.totals.unknown_frees, 0);
    assert_int_equal(run->result.totals.nested, rounds); /* realloc inside reallocarray */
    assert_int_equal(run->result.totals.processes, 1);
    assert_int_equal(run->result.totals.threads, 1);
    assert_true(WIFEXITED(run->result.status) && WEXITSTATUS(run->result.status) == 0);
}

static void known_calls_in(enum assay_ebpf_mode mode)
{
    char *const argv[] = {PROGRAM("known_calls"), "2000", NULL};
    struct assay_ebpf_tuning tuning = {.mode = mode};
    struct assay_error err;
    struct run run = {0};
    int rc = try_capture(&run, argv, &tuning, NULL, &err);
    if (rc == ASSAY_E_UNSUPPORTED && mode != ASSAY_EBPF_MODE_AUTO) {
        print_message("%s: %s\n", assay_ebpf_mode_name(mode), err.text);
        skip();
    }
    if (rc < 0)
        fail_msg("%s", err.text);
    run_load(&run);
    check_known(&run, 2000);
    run_release(&run);
}

static void known_calls_by_default(void **state)
{
    (void)state;
    known_calls_in(ASSAY_EBPF_MODE_AUTO);
}
static void known_calls_by_session(void **state)
{
    (void)state;
    known_calls_in(ASSAY_EBPF_MODE_SESSION);
}
static void known_calls_by_multi(void **state)
{
    (void)state;
    known_calls_in(ASSAY_EBPF_MODE_MULTI);
}
static void known_calls_by_perf_events(void **state)
{
    (void)state;
    known_calls_in(ASSAY_EBPF_MODE_PERF);
}

/* The other source sees the same calls. Only what it adds by being there may differ: what stands
 * outside the markers. */
static void agrees_with_the_preload_recorder(void **state)
{
    char *const argv[] = {PROGRAM("known_calls"), "2000", NULL};
    struct run ebpf, preload = {0};
    struct assay_error err;
    (void)state;
    capture(&ebpf, argv, NULL);
    snprintf(preload.path, sizeof preload.path, "/tmp/assay-ebpf-test-%d-p.trace", (int)getpid());
    struct assay_capture_config config = {.argv = argv,
                                          .output = preload.path,
                                          .recorder = ASSAY_BINARY_DIR "/lib/libassay_recorder.so"};
    if (assay_capture_preload(&config, &preload.result, &err) < 0)
        fail_msg("%s", err.text);
    run_load(&preload);
    const struct assay_event *a = marker(&ebpf, KNOWN_BEGIN), *b = marker(&preload, KNOWN_BEGIN);
    const struct assay_event *end = marker(&ebpf, KNOWN_END);
    uint32_t shift = b->born - a->born; /* objects born before the marker */
    for (; a <= end; a++, b++) {
        expect(b, a->kind == ASSAY_OP_MEMALIGN ? ASSAY_OP_ALIGNED_ALLOC : a->kind, a->size, a->arg,
               a->object ? a->object + shift : 0, (size_t)(end - a));
        assert_int_equal(b->born, a->born ? a->born + shift : 0);
        assert_int_equal(b->place, a->place);
        assert_int_equal(b->family, a->family);
    }
    run_release(&ebpf);
    run_release(&preload);
}

/* ---- loss ---- */

static void what_is_lost_is_counted(void **state)
{
    char *const argv[] = {PROGRAM("thread_calls"), "1", "200000", NULL};
    struct assay_ebpf_tuning small = {.ring_bytes = 1 << 16, .sluggish_us = 20000};
    struct run whole, lossy;
    (void)state;
    capture(&whole, argv, NULL);
    capture(&lossy, argv, &small);
    assert_int_equal(whole.result.totals.dropped, 0);
    assert_true(whole.result.totals.events > 400000);
    assert_true(lossy.result.totals.dropped > 1000);
    /* the thread's own cache at its end may be lost too: library calls belong to the sum */
    assert_int_equal(lossy.result.totals.events + lossy.result.totals.library_calls +
                         lossy.result.totals.dropped,
                     whole.result.totals.events + whole.result.totals.library_calls);
    run_release(&whole);
    run_release(&lossy);
}

/* ---- threads and processes ---- */

static void threads_are_whole(void **state)
{
    char *const argv[] = {PROGRAM("thread_calls"), "4", "20000", NULL};
    struct run run;
    (void)state;
    capture(&run, argv, NULL);
    size_t mallocs[5] = {0}, frees[5] = {0};
    for (size_t i = 0; i < run.n; i++) {
        const struct assay_event *e = &run.events[i];
        assert_true(e->thread < 5);
        mallocs[e->thread] += e->kind == ASSAY_OP_MALLOC;
        frees[e->thread] += e->kind == ASSAY_OP_FREE && e->object != 0;
        if (e->kind == ASSAY_OP_FREE && e->place == ASSAY_PLACE_OBJECT && e->object != 0)
            assert_int_equal(e->arg, 0);
    }
    for (int t = 1; t < 5; t++) {
        assert_int_equal(mallocs[t], 20000);
        assert_int_equal(frees[t], 20000);
    }
    assert_int_equal(run_count(&run, ASSAY_OP_THREAD_START), 4);
    assert_int_equal(run_count(&run, ASSAY_OP_THREAD_EXIT), 4);
    assert_int_equal(run.result.totals.threads, 5);
    assert_int_equal(run.result.totals.dropped, 0);
    assert_int_equal(run.result.totals.unknown_frees, 0); /* the library's were recognised */
    assert_true(run.result.totals.library_calls > 4);
    run_release(&run);
}

static void process_tree_is_followed(void **state)
{
    char *const argv[] = {
        "/bin/sh", "-c", PROGRAM("known_calls") " 10; " PROGRAM("known_calls") " 20; exit 3", NULL};
    struct run run;
    (void)state;
    capture(&run, argv, NULL);
    size_t ends[8] = {0}, calls[8] = {0};
    for (size_t i = 0; i < run.n; i++) {
        assert_true(run.events[i].process < 8);
        ends[run.events[i].process] += run.events[i].kind == ASSAY_OP_EXIT;
        calls[run.events[i].process] += run.events[i].kind == ASSAY_OP_REALLOCARRAY;
    }
    assert_int_equal(run.result.totals.processes, 3);
    for (int p = 0; p < 3; p++)
        assert_int_equal(ends[p], 1);
    assert_int_equal(calls[0], 0);
    assert_int_equal(calls[1], 10);
    assert_int_equal(calls[2], 20);
    assert_int_equal(run_count(&run, ASSAY_OP_FORK), 2);
    assert_true(run_count(&run, ASSAY_OP_EXEC) >= 2);
    /* what the shell's child allocates after vfork is the shell's: the shell frees it */
    assert_int_equal(run.result.totals.unknown_frees, 0);
    assert_int_equal(run.result.totals.dropped, 0);
    assert_int_equal(WEXITSTATUS(run.result.status), 3);
    run_release(&run);
}

/* All records of a program that ends within a millisecond come in one batch, its end included. */
static void callers_of_short_programs_have_modules(void **state)
{
    char *const alone[] = {PROGRAM("known_calls"), "1", NULL};
    char *const children[] = {"/bin/sh", "-c",
                              PROGRAM("known_calls") " 1; " PROGRAM("known_calls") " 2; :", NULL};
    char *const *const commands[] = {alone, children};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct run run;
        struct assay_trace_reader *reader;
        struct assay_error err;
        const struct assay_trace_site *site;
        bool own = false;
        capture(&run, commands[i], NULL);
        if (assay_trace_open(run.path, &reader, &err) < 0)
            fail_msg("%s", err.text);
        while (assay_trace_read(reader, run.events, run.n, &err) > 0)
            ;
        for (uint32_t number = 1; (site = assay_trace_get_site(reader, number)); number++) {
            if (!site->module)
                fail_msg("site %u at 0x%" PRIx64 " has no module", number, site->address);
            own |= strstr(site->module, "/known_calls") != NULL;
        }
        assert_true(own);
        assay_trace_free(reader);
        run_release(&run);
    }
}

/* In a container the kernel's tools name processes differently: nothing may depend on it. Returns
 * the exit code of a child that captures in a pid namespace of its own. */
static int capture_in_a_pid_namespace(void)
{
    char *const argv[] = {PROGRAM("thread_calls"), "2", "1000", NULL};
    pid_t outer = fork();
    if (outer == 0) {
        if (unshare(CLONE_NEWPID) < 0)
            _exit(5);
        pid_t inner = fork();
        if (inner == 0) {
            struct run run = {0};
            struct assay_error err;
            if (try_capture(&run, argv, NULL, NULL, &err) < 0)
                _exit(4);
            unlink(run.path);
            /* module lookup went wrong if the library's frees were not recognised */
            _exit(run.result.totals.unknown_frees == 0 && run.result.totals.library_calls > 0 &&
                          run.result.totals.dropped == 0 && run.result.totals.threads == 3
                      ? 0
                      : 1);
        }
        int status = 0;
        waitpid(inner, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
    }
    int status = 0;
    waitpid(outer, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

static void works_in_a_pid_namespace(void **state)
{
    (void)state;
    int code = capture_in_a_pid_namespace();
    if (code == 5)
        skip();
    assert_int_equal(code, 0);
}

/* ---- other allocators ---- */

static void another_allocator(const char *library)
{
    char *const argv[] = {PROGRAM("thread_calls"), "1", "2000", NULL};
    struct run run;
    if (access(library, R_OK) != 0)
        skip();
    assert_int_equal(setenv("LD_PRELOAD", library, 1), 0);
    capture(&run, argv, NULL);
    unsetenv("LD_PRELOAD");
    size_t mallocs = 0;
    for (size_t i = 0; i < run.n; i++)
        mallocs += run.events[i].kind == ASSAY_OP_MALLOC && run.events[i].thread == 1;
    assert_int_equal(mallocs, 2000);
    assert_int_equal(run.result.totals.dropped, 0);
    assert_int_equal(run.result.totals.unknown_frees, 0);
    /* jemalloc's free has no instruction that the kernel emulates: said, not hidden */
    if (strstr(library, "jemalloc"))
        assert_non_null(strstr(run.result.notes, "cannot be probed cheaply"));
    run_release(&run);
}

static void jemalloc_is_probed_instead(void **state)
{
    (void)state;
    another_allocator("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2");
}
static void tcmalloc_is_probed_instead(void **state)
{
    (void)state;
    another_allocator("/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4");
}
static void mimalloc_is_probed_instead(void **state)
{
    (void)state;
    another_allocator("/usr/lib/x86_64-linux-gnu/libmimalloc.so.2.0");
}

static void an_allocator_that_is_not_probed_is_named(void **state)
{
    const char *library = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
    static char preload[] = "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
    static char program[] = PROGRAM("thread_calls");
    char *const argv[] = {"/usr/bin/env", preload, program, "1", "10", NULL};
    struct run run;
    (void)state;
    if (access(library, R_OK) != 0)
        skip();
    capture(&run, argv, NULL);
    assert_int_equal(run.result.unfollowed, 1);
    assert_non_null(strstr(run.result.notes, "libjemalloc.so.2"));
    run_release(&run);
}

static void a_static_program_is_probed_itself(void **state)
{
    char *const argv[] = {PROGRAM("known_calls_static"), "500", NULL};
    struct run run;
    (void)state;
    if (access(argv[0], X_OK) != 0)
        skip(); /* no static C library here */
    capture(&run, argv, NULL);
    check_known(&run, 500);
    run_release(&run);
}

/* ---- ends ---- */

static volatile sig_atomic_t stop;

static void on_alarm(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static void an_early_end_leaves_a_whole_file(void **state)
{
    static char script[] = PROGRAM("known_calls") " 100; exec sleep 60";
    char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct run run = {0};
    struct assay_error err;
    (void)state;
    stop = 0;
    signal(SIGALRM, on_alarm);
    alarm(1);
    if (try_capture(&run, argv, NULL, &stop, &err) < 0)
        fail_msg("%s", err.text);
    run_load(&run);
    assert_true(run.result.interrupted);
    assert_true(WIFSIGNALED(run.result.status));
    assert_true(run.result.wall_ns < UINT64_C(20000000000));
    assert_int_equal(run_count(&run, ASSAY_OP_REALLOCARRAY), 100);
    run_release(&run);
}

/* The ids of loaded programs of ours. */
static size_t our_programs(uint32_t *ids, size_t n)
{
    size_t found = 0;
    for (uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0 && found < n;) {
        struct bpf_prog_info info = {0};
        uint32_t bytes = sizeof info;
        int fd = bpf_prog_get_fd_by_id(id);
        if (fd < 0)
            continue;
        if (bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 && strncmp(info.name, "assay_", 6) == 0)
            ids[found++] = id;
        close(fd);
    }
    return found;
}

static bool contains(const uint32_t *ids, size_t n, uint32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static void nothing_is_left_after_a_kill(void **state)
{
    char *const argv[] = {"/bin/sleep", "60", NULL};
    uint32_t before[256], during[256], after[256];
    (void)state;
    size_t n_before = our_programs(before, 256);
    pid_t pid = fork();
    if (pid == 0) {
        struct run run = {0};
        struct assay_error err;
        try_capture(&run, argv, NULL, NULL, &err);
        _exit(0);
    }
    char partial[96];
    snprintf(partial, sizeof partial, "/tmp/assay-ebpf-test-%d.trace.partial", (int)pid);
    size_t n_during = 0, grown = 0;
    /* the programs may be another capture's; the file is ours */
    for (int i = 0; i < 1000 && (grown < 4 || access(partial, F_OK) != 0); i++) {
        usleep(10000);
        grown = 0;
        n_during = our_programs(during, 256);
        for (size_t j = 0; j < n_during; j++)
            grown += !contains(before, n_before, during[j]);
    }
    assert_true(grown >= 4);
    usleep(300000); /* into the run */
    n_during = our_programs(during, 256);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    size_t left = 1;
    for (int i = 0; i < 1000 && left > 0; i++) {
        usleep(10000);
        size_t n_after = our_programs(after, 256);
        left = 0;
        for (size_t j = 0; j < n_after; j++)
            left += contains(during, n_during, after[j]) && !contains(before, n_before, after[j]);
    }
    assert_int_equal(left, 0);
    assert_int_equal(unlink(partial), 0);
}

static void bad_commands_have_a_line(void **state)
{
    char *const missing[] = {"/nonexistent/program", NULL}, *const data[] = {"/etc/passwd", NULL};
    struct run run = {0};
    struct assay_error err;
    (void)state;
    assert_int_equal(try_capture(&run, missing, NULL, NULL, &err), ASSAY_E_NOT_FOUND);
    assert_false(run.result.started);
    assert_true(try_capture(&run, data, NULL, NULL, &err) < 0);
    assert_false(run.result.started);
    assert_int_not_equal(access(run.path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_calls_by_default),
        cmocka_unit_test(known_calls_by_session),
        cmocka_unit_test(known_calls_by_multi),
        cmocka_unit_test(known_calls_by_perf_events),
        cmocka_unit_test(agrees_with_the_preload_recorder),
        cmocka_unit_test(what_is_lost_is_counted),
        cmocka_unit_test(threads_are_whole),
        cmocka_unit_test(process_tree_is_followed),
        cmocka_unit_test(callers_of_short_programs_have_modules),
        cmocka_unit_test(works_in_a_pid_namespace),
        cmocka_unit_test(jemalloc_is_probed_instead),
        cmocka_unit_test(tcmalloc_is_probed_instead),
        cmocka_unit_test(mimalloc_is_probed_instead),
        cmocka_unit_test(an_allocator_that_is_not_probed_is_named),
        cmocka_unit_test(a_static_program_is_probed_itself),
        cmocka_unit_test(an_early_end_leaves_a_whole_file),
        cmocka_unit_test(nothing_is_left_after_a_kill),
        cmocka_unit_test(bad_commands_have_a_line),
    };
    struct assay_error why;
    if (assay_capture_ebpf_available(&why) < 0) {
        print_message("skipped: %s\n", why.text);
        return 5;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

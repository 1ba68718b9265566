/* The preload recorder end to end: programs whose calls are known, the counting allocator beside
 * it, process trees, threads, deaths, loss that adds up, real applications, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/capture/known_calls.h"
#include "tests/capture/run.h"
#include "tests/support/counting.h"

#define PROGRAM(name) ASSAY_BINARY_DIR "/bin/" name
#define COUNTING      ASSAY_BINARY_DIR "/lib/support/counting.so"
#define RUN(run, ...) run_command(run, (char *[]){__VA_ARGS__, NULL})

static char known_calls[] = PROGRAM("known_calls");
static char life_calls[] = PROGRAM("life_calls");
static char static_calls[] = PROGRAM("static_calls");
static char thread_calls[] = PROGRAM("thread_calls");

/* The recorder with the clock that it finds, or another. */
static int (*capture_by)(const struct assay_capture_config *, struct assay_capture_result *,
                         struct assay_error *) = assay_capture_preload;

static int try(struct run *run, char *const *argv, struct assay_error *err)
{
    if (!run->path[0])
        snprintf(run->path, sizeof run->path, "/tmp/assay-preload-test-%d.trace", (int)getpid());
    run->config.argv = argv;
    run->config.output = run->path;
    return capture_by(&run->config, &run->result, err);
}

static void run_command(struct run *run, char *const *argv)
{
    struct assay_error err;
    if (try(run, argv, &err) < 0)
        fail_msg("%s", err.text);
    run_load(run);
}

static size_t find(const struct run *run, size_t from, enum assay_op kind, uint64_t size)
{
    for (size_t i = from; i < run->n; i++)
        if (run->events[i].kind == kind && run->events[i].size == size)
            return i;
    fail_msg("no %s of %ju bytes", assay_op_info(kind)->name, (uintmax_t)size);
    return 0;
}

/* No two objects of one process at one address, no release of what is not there: what holds for
 * the recorded calls of any correct program on a correct allocator. */
static void check_lives(const struct run *run)
{
    struct life {
        uint64_t address;
        bool live;
    } *lives = calloc(run->result.totals.objects + 1, sizeof *lives);
    assert_non_null(lives);
    for (size_t i = 0; i < run->n; i++) {
        const struct assay_event *e = &run->events[i];
        enum assay_op_class op_class = assay_op_info(e->kind)->op_class;
        if ((op_class == ASSAY_CLASS_RELEASE || op_class == ASSAY_CLASS_RESIZE) &&
            !(e->flags & ASSAY_FLAG_END) && e->object) {
            assert_true(lives[e->object].live);
            lives[e->object].live = e->kind == ASSAY_OP_REALLOC && e->error;
        }
        if (e->born && e->address) {
            assert_true(e->born <= run->result.totals.objects);
            lives[e->born] = (struct life){e->address, true};
        }
        if (i)
            assert_true(e->time >= run->events[i - 1].time || e->kind == ASSAY_OP_EXIT);
    }
    free(lives);
}

static void expect(const struct run *run, size_t *at, enum assay_op kind, uint64_t size,
                   uint64_t arg)
{
    const struct assay_event *e = &run->events[(*at)++];
    assert_int_equal(e->kind, kind);
    assert_int_equal(e->size, size);
    assert_int_equal(e->arg, arg);
}

/* The list that life_calls.c makes. */
static void every_function_is_recorded(void **state)
{
    struct run run = {0};
    (void)state;
    RUN(&run, life_calls, "api");
    assert_int_equal(run.result.status, 0);
    size_t i = find(&run, 0, ASSAY_OP_MALLOC, 1000001);
    expect(&run, &i, ASSAY_OP_MALLOC, 1000001, 0);
    expect(&run, &i, ASSAY_OP_FREE, 0, 0);
    expect(&run, &i, ASSAY_OP_MALLOC, 10, 0);
    expect(&run, &i, ASSAY_OP_REALLOC, 20, 0);
    expect(&run, &i, ASSAY_OP_REALLOCARRAY, 7, 3);
    uint32_t kept = run.events[i - 1].born;
    expect(&run, &i, ASSAY_OP_REALLOCARRAY, 1 << 20, (uint64_t)1 << 33);
    assert_int_equal(run.events[i - 1].object, kept);
    assert_int_equal(run.events[i - 1].address, ASSAY_ADDRESS_NULL);
    assert_int_equal(run.events[i - 1].error, ENOMEM);
    expect(&run, &i, ASSAY_OP_FREE, 0, 0);
    assert_int_equal(run.events[i - 1].place, ASSAY_PLACE_NULL);
    expect(&run, &i, ASSAY_OP_CALLOC, 0, (uint64_t)1 << 40);
    expect(&run, &i, ASSAY_OP_FREE, 0, 0);
    expect(&run, &i, ASSAY_OP_MALLOC, SIZE_MAX / 4, 0);
    assert_int_equal(run.events[i - 1].error, ENOMEM);
    expect(&run, &i, ASSAY_OP_MALLOC, 5, 0);
    expect(&run, &i, ASSAY_OP_REALLOC, 0, 0);
    assert_int_equal(run.events[i - 1].error, 0);
    expect(&run, &i, ASSAY_OP_FREE, 0, 0);
    expect(&run, &i, ASSAY_OP_POSIX_MEMALIGN, 8, 3);
    assert_int_equal(run.events[i - 1].error, EINVAL);
    expect(&run, &i, ASSAY_OP_POSIX_MEMALIGN, 100, 4096);
    expect(&run, &i, ASSAY_OP_FREE, 0, 0);
    expect(&run, &i, ASSAY_OP_MEMALIGN, 11, 64);
    expect(&run, &i, ASSAY_OP_FREE, 0, 0);
    expect(&run, &i, ASSAY_OP_ALIGNED_ALLOC, 256, 128);
    expect(&run, &i, ASSAY_OP_FREE, 0, 0);
    expect(&run, &i, ASSAY_OP_VALLOC, 12, 0);
    expect(&run, &i, ASSAY_OP_FREE, 0, 0);
    expect(&run, &i, ASSAY_OP_PVALLOC, 13, 0);
    expect(&run, &i, ASSAY_OP_FREE, 0, 0);
    expect(&run, &i, ASSAY_OP_MALLOC, 14, 0);
    expect(&run, &i, ASSAY_OP_USABLE_SIZE, 0, 0);
    assert_true(run.events[i - 1].value >= 14);
    expect(&run, &i, ASSAY_OP_FREE, 0, 0);
    expect(&run, &i, ASSAY_OP_MALLOC, 1000003, 0);
    assert_int_equal(run.result.totals.unknown_frees, 0);
    run_release(&run);
}

/* What the allocator counted is what the trace holds, call for call, the loader's included. */
static void counts_are_the_allocator_s(void **state)
{
    struct run run = {0};
    char path[64];
    (void)state;
    snprintf(path, sizeof path, "/tmp/assay-preload-test-%d.count", (int)getpid());
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(ftruncate(file, sizeof(struct assay_counting)), 0);
    struct assay_counting *counted = mmap(NULL, sizeof *counted, PROT_READ, MAP_SHARED, file, 0);
    assert_true(counted != MAP_FAILED);
    setenv("LD_PRELOAD", COUNTING, 1);
    setenv(ASSAY_COUNTING_VARIABLE, path, 1);
    RUN(&run, known_calls, "20000");
    unsetenv("LD_PRELOAD");
    unsetenv(ASSAY_COUNTING_VARIABLE);
    assert_true(run.n > 20000 * (size_t)KNOWN_CALLS_PER_ROUND);
    assert_int_equal(run.result.totals.dropped, 0);
    assert_int_equal(run_count(&run, ASSAY_OP_MALLOC), counted->calls[ASSAY_COUNTED_MALLOC]);
    assert_int_equal(run_count(&run, ASSAY_OP_CALLOC), counted->calls[ASSAY_COUNTED_CALLOC]);
    assert_int_equal(run_count(&run, ASSAY_OP_FREE), counted->calls[ASSAY_COUNTED_FREE]);
    assert_int_equal(run_count(&run, ASSAY_OP_USABLE_SIZE), counted->calls[ASSAY_COUNTED_USABLE]);
    assert_int_equal(run_count(&run, ASSAY_OP_POSIX_MEMALIGN) +
                         run_count(&run, ASSAY_OP_ALIGNED_ALLOC),
                     counted->calls[ASSAY_COUNTED_ALIGNED]);
    /* the C library's reallocarray calls realloc: nested, so recorded once */
    assert_int_equal(run_count(&run, ASSAY_OP_REALLOC) + run_count(&run, ASSAY_OP_REALLOCARRAY),
                     counted->calls[ASSAY_COUNTED_REALLOC]);
    assert_int_equal(run.result.totals.nested, run_count(&run, ASSAY_OP_REALLOCARRAY));
    check_lives(&run);
    run_release(&run);
    munmap(counted, sizeof *counted);
    close(file);
    unlink(path);
}

static void threads_are_whole(void **state)
{
    struct run run = {0};
    size_t per_thread[9] = {0};
    (void)state;
    RUN(&run, thread_calls, "8", "20000");
    assert_int_equal(run.result.totals.threads, 9);
    assert_int_equal(run_count(&run, ASSAY_OP_THREAD_START), 8);
    assert_int_equal(run_count(&run, ASSAY_OP_THREAD_EXIT), 8);
    for (size_t i = 0; i < run.n; i++)
        per_thread[run.events[i].thread] +=
            run.events[i].kind == ASSAY_OP_MALLOC || run.events[i].kind == ASSAY_OP_FREE;
    for (size_t t = 1; t <= 8; t++)
        assert_int_equal(per_thread[t], 20000 * 2 + 100);
    assert_int_equal(run.result.totals.unknown_frees, 0);
    check_lives(&run);
    run_release(&run);
}

static void stamps_order_what_crosses_threads(void **state)
{
    struct run run = {0};
    (void)state;
    RUN(&run, life_calls, "cross", "50000");
    assert_int_equal(run.result.totals.threads, 2);
    assert_true(run_count(&run, ASSAY_OP_MALLOC) >= 100000);
    assert_int_equal(run.result.totals.unknown_frees, 0);
    check_lives(&run);
    run_release(&run);
}

static void a_counter_orders_where_no_tsc_is(void **state)
{
    capture_by = assay_capture_preload_by_counter;
    stamps_order_what_crosses_threads(state);
    capture_by = assay_capture_preload;
}

static void late_destructors_are_recorded(void **state)
{
    struct run run = {0};
    (void)state;
    RUN(&run, life_calls, "late");
    size_t i = find(&run, 0, ASSAY_OP_MALLOC, 3000000);
    size_t k = find(&run, i, ASSAY_OP_MALLOC, 3000001);
    assert_int_equal(run.events[k].thread, run.events[i].thread);
    assert_int_equal(run.result.totals.unknown_frees, 0);
    run_release(&run);
}

static void check_forked(struct run *run)
{
    assert_int_equal(run->result.status, 0);
    assert_int_equal(run->result.totals.processes, 3);
    assert_int_equal(run->result.totals.unknown_frees, 0);
    size_t first = find(run, 0, ASSAY_OP_MALLOC, 2000001);
    uint32_t objects[3], freed_by[3] = {0};
    for (size_t k = 0; k < 3; k++)
        objects[k] = run->events[first + k].born;
    for (size_t i = first; i < run->n; i++)
        for (size_t k = 0; k < 3; k++)
            if (run->events[i].kind == ASSAY_OP_FREE && run->events[i].object == objects[k])
                freed_by[k] |= 1U << run->events[i].process;
    assert_int_equal(freed_by[0], 3); /* parent and child, each its own copy */
    assert_int_equal(freed_by[1], 3);
    assert_int_equal(freed_by[2], 1);
    assert_int_equal(run_count(run, ASSAY_OP_FORK), 2);
    assert_int_equal(run_count(run, ASSAY_OP_EXEC), 1);
    assert_int_equal(run_count(run, ASSAY_OP_EXIT), 3);
    assert_int_equal(run->events[find(run, 0, ASSAY_OP_MALLOC, KNOWN_BEGIN)].process, 2);
    for (size_t i = 0; i < run->n; i++)
        if (run->events[i].kind == ASSAY_OP_EXIT && run->events[i].process == 1)
            assert_int_equal(run->events[i].arg, 5);
}

static void a_process_tree_is_followed(void **state)
{
    struct run run = {0};
    (void)state;
    RUN(&run, life_calls, "fork");
    check_forked(&run);
    run_release(&run);
    RUN(&run, life_calls, "raw_fork");
    check_forked(&run);
    run_release(&run);
}

/* Each child and grandchild once, also where nobody was there any more to tell of it. */
static void daemons_are_counted_once(void **state)
{
    enum { DAEMONS = 100 };
    struct run run = {0};
    char number[8];
    (void)state;
    snprintf(number, sizeof number, "%d", DAEMONS);
    RUN(&run, life_calls, "daemons", number);
    assert_int_equal(run.result.status, 0);
    assert_int_equal(run.result.totals.processes, 1 + 2 * DAEMONS);
    assert_int_equal(run_count(&run, ASSAY_OP_FORK), 2 * DAEMONS);
    assert_int_equal(run_count(&run, ASSAY_OP_EXEC), DAEMONS / 2);
    assert_int_equal(run.result.totals.unknown_frees, 0);
    run_release(&run);
}

static void a_program_with_its_own_environment_is_followed(void **state)
{
    struct run run = {0};
    (void)state;
    RUN(&run, "env", "-i", known_calls, "10");
    find(&run, 0, ASSAY_OP_MALLOC, KNOWN_END);
    assert_int_equal(run_count(&run, ASSAY_OP_EXEC), 1);
    run_release(&run);
}

static void a_killed_program_is_kept_to_its_last_call(void **state)
{
    struct run run = {0};
    (void)state;
    RUN(&run, life_calls, "killed", "12345");
    assert_true(WIFSIGNALED(run.result.status));
    size_t i = find(&run, 0, ASSAY_OP_MALLOC, 1000001) + 2;
    assert_int_equal(run.n, i + 12345 + 1);
    assert_int_equal(run.events[run.n - 2].size, 12344 % 100 + 1);
    assert_int_equal(run.events[run.n - 1].kind, ASSAY_OP_EXIT);
    assert_int_equal(run.events[run.n - 1].signal, SIGKILL);
    run_release(&run);
}

/* A handler that jumps out of a hook must not silence the thread. */
static void jumps_out_of_calls_are_survived(void **state)
{
    struct run run = {0};
    (void)state;
    setenv("LD_PRELOAD", COUNTING, 1);
    RUN(&run, life_calls, "jump", "200");
    unsetenv("LD_PRELOAD");
    size_t markers = 0;
    for (size_t i = 0; i < run.n; i++)
        markers += run.events[i].kind == ASSAY_OP_MALLOC && run.events[i].size == 1000003;
    assert_int_equal(markers, 100);
    run_release(&run);
}

/* A limit on file sizes stands for a full disk: what did not fit is counted, the rest is there. */
static void what_is_lost_is_counted(void **state)
{
    struct run whole = {0}, cut = {0};
    (void)state;
    RUN(&whole, "bash", "-c", "ulimit -f 999999; exec \"$0\" 3 30000", thread_calls);
    uint64_t events = whole.result.totals.events;
    assert_int_equal(whole.result.totals.dropped, 0);
    run_release(&whole);
    RUN(&cut, "bash", "-c", "ulimit -f 000250; exec \"$0\" 3 30000", thread_calls);
    assert_int_equal(cut.result.status, 0);
    assert_true(cut.result.totals.dropped > 10000);
    /* The root's exit is known from wait also where its record was lost. */
    assert_in_range(cut.result.totals.events + cut.result.totals.dropped, events, events + 1);
    run_release(&cut);
}

static void applications_are_captured_without_loss(void **state)
{
    static char include[] = "-I" ASSAY_SOURCE_DIR, source[] = ASSAY_SOURCE_DIR "/traces/event.c";
    static char *const git[] = {"git", "-C", ASSAY_SOURCE_DIR, "log", "--stat", "-20", NULL};
    static char *const sqlite[] = {
        "sqlite3", ":memory:",
        "create table t(a, b); with recursive n(i) as (select 1 union all select i + 1 from n "
        "where "
        "i < 5000) insert into t select i, hex(i) from n; select count(*) from t where b like '%3'",
        NULL};
    static char *const python[] = {"/usr/bin/python3", "-c",
                                   "import subprocess, threading\n"
                                   "d = {i: str(i) for i in range(20000)}\n"
                                   "t = [threading.Thread(target=lambda: [str(i) for i in "
                                   "range(2000)]) for _ in range(4)]\n"
                                   "[x.start() for x in t]; [x.join() for x in t]\n"
                                   "subprocess.run(['true'])",
                                   NULL};
    static char *const gcc[] = {"gcc",  "-O2", "-x",        "c",          "-c", include,
                                source, "-o",  "/dev/null", "-std=gnu17", NULL};
    static char *const *const commands[] = {git, sqlite, python, gcc};
    (void)state;
    int saved = dup(STDOUT_FILENO), nothing = open("/dev/null", O_WRONLY);
    setenv("PYTHONMALLOC", "malloc", 1);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct run run = {0};
        char path[4096];
        if (assay_capture_find(commands[i][0], path, sizeof path, NULL) < 0) {
            print_message("%s is not installed\n", commands[i][0]);
            continue;
        }
        fflush(stdout);
        dup2(nothing, STDOUT_FILENO);
        struct assay_error err;
        int rc = try(&run, commands[i], &err);
        dup2(saved, STDOUT_FILENO);
        if (rc < 0)
            fail_msg("%s: %s", commands[i][0], err.text);
        run_load(&run);
        assert_int_equal(run.result.status, 0);
        assert_int_equal(run.result.totals.dropped, 0);
        assert_int_equal(run.result.totals.unknown_frees, 0);
        assert_true(run.n > 1000);
        check_lives(&run);
        run_release(&run);
    }
    unsetenv("PYTHONMALLOC");
    close(saved);
    close(nothing);
}

static void scrubbed_traces_name_nobody(void **state)
{
    struct run run = {.config = {.scrub = true}};
    struct assay_trace_reader *reader;
    (void)state;
    RUN(&run, known_calls, "10");
    assert_int_equal(assay_trace_open(run.path, &reader, NULL), 0);
    for (struct assay_event e; assay_trace_read(reader, &e, 1, NULL) == 1;) {
        const struct assay_trace_site *site = assay_trace_get_site(reader, e.site);
        assert_true(!site || !site->module);
    }
    assert_null(assay_trace_meta(reader)->command);
    assert_null(assay_trace_meta(reader)->host);
    assert_null(assay_trace_meta(reader)->allocator);
    assay_trace_free(reader);
    run_release(&run);
}

static volatile sig_atomic_t stop;

static void on_alarm(int number)
{
    (void)number;
    stop = 1;
}

static void an_early_end_leaves_a_whole_file(void **state)
{
    struct run run = {.config = {.max_time_ns = 300000000}};
    (void)state;
    RUN(&run, "bash", "-c", "sleep 100");
    assert_true(run.result.timed_out);
    assert_true(run.result.wall_ns < UINT64_C(20000000000));
    run_release(&run);
    run.config.stop = &stop;
    signal(SIGALRM, on_alarm);
    ualarm(300000, 0);
    RUN(&run, "bash", "-c", "sleep 100");
    assert_true(run.result.interrupted);
    assert_true(WIFSIGNALED(run.result.status));
    run_release(&run);
}

static void refused(struct run *run, char *command, int code, const char *words)
{
    struct assay_error err;
    struct stat status;
    char *argv[] = {command, NULL};
    assert_int_equal(try(run, argv, &err), code);
    if (!strstr(err.text, words))
        fail_msg("'%s' lacks '%s'", err.text, words);
    assert_false(run->result.started);
    assert_true(stat(run->path, &status) < 0 || !S_ISREG(status.st_mode));
    *run = (struct run){0};
}

static void what_cannot_run_gets_one_line(void **state)
{
    struct run run = {0};
    (void)state;
    refused(&run, "no-such-command-here", ASSAY_E_NOT_FOUND, "no such command in PATH");
    refused(&run, "/no/such/file", ASSAY_E_NOT_FOUND, "cannot run '/no/such/file'");
    refused(&run, "/tmp", ASSAY_E_PERMISSION, "not a file");
    refused(&run, static_calls, ASSAY_E_UNSUPPORTED, "statically linked");
    snprintf(run.path, sizeof run.path, "/no/such/folder/x.trace");
    refused(&run, "true", ASSAY_E_NOT_FOUND, "/no/such/folder/x.trace");
    snprintf(run.path, sizeof run.path, "/tmp");
    refused(&run, "true", ASSAY_E_SYSTEM, "is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_is_recorded),
        cmocka_unit_test(counts_are_the_allocator_s),
        cmocka_unit_test(threads_are_whole),
        cmocka_unit_test(stamps_order_what_crosses_threads),
        cmocka_unit_test(a_counter_orders_where_no_tsc_is),
        cmocka_unit_test(late_destructors_are_recorded),
        cmocka_unit_test(a_process_tree_is_followed),
        cmocka_unit_test(daemons_are_counted_once),
        cmocka_unit_test(a_program_with_its_own_environment_is_followed),
        cmocka_unit_test(a_killed_program_is_kept_to_its_last_call),
        cmocka_unit_test(jumps_out_of_calls_are_survived),
        cmocka_unit_test(what_is_lost_is_counted),
        cmocka_unit_test(applications_are_captured_without_loss),
        cmocka_unit_test(scrubbed_traces_name_nobody),
        cmocka_unit_test(an_early_end_leaves_a_whole_file),
        cmocka_unit_test(what_cannot_run_gets_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

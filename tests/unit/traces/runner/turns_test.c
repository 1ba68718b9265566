/* Turns: each op is made by the thread, in the process and in the context that it names; what
 * cannot be executed is skipped; what a forked process does to itself is told. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "traces/runner/session.h"

enum { ROOM = 256, REGION_BYTES = 1 << 24, NOT_DONE = -1 };
enum { FORKED = 1, THREAD = 2, ENDED = 4 }; /* of placed.so's regions */
#define FIRST_REGION UINT64_C(0x100000000000)

static struct assay_event ops[ROOM];
static size_t count;
static uint32_t objects, hang_ms;
static struct assay_session_status status;

static void put(uint16_t process, uint16_t thread, enum assay_op kind, uint64_t arg, uint64_t size)
{
    ops[count++] = (struct assay_event){
        .process = process, .thread = thread, .kind = (uint8_t)kind, .arg = arg, .size = size};
}

/* Returns the index of the op. */
static size_t put_malloc(uint16_t process, uint16_t thread, uint64_t size)
{
    put(process, thread, ASSAY_OP_MALLOC, 0, size);
    ops[count - 1].born = ++objects;
    return count - 1;
}

/* Where placed.so saw the op, or NOT_DONE. */
static int place(size_t at)
{
    if (!(ops[at].flags & ASSAY_FLAG_EXECUTED))
        return NOT_DONE;
    return (int)((ops[at].address - FIRST_REGION) / REGION_BYTES);
}

static int start(void **state)
{
    (void)state;
    memset(ops, 0, sizeof ops);
    count = objects = 0;
    hang_ms = 300;
    return 0;
}

static struct assay_session *open_on(const char *subject)
{
    struct assay_subject_spec spec;
    struct assay_session *session;
    struct assay_error err = {0};
    assert_int_equal(assay_subject_find(subject, &spec, &err), 0);
    const struct assay_session_config config = {.subject = &spec,
                                                .environment.order = ASSAY_ORDER_TURNS,
                                                .touch = ASSAY_TOUCH_FULL,
                                                .want_results = true,
                                                .max_objects = ROOM,
                                                .seed = 1,
                                                .hang_ms = hang_ms,
                                                .memory_bytes = 512 << 20};
    assert_int_equal(assay_session_start(&config, &session, &err), 0);
    return session;
}

static void run_program(struct assay_session *session)
{
    size_t n, capacity;
    struct assay_event *chunk = assay_session_chunk(session, &capacity);
    assert_true(chunk && capacity >= count);
    memcpy(chunk, ops, count * sizeof *ops);
    assay_session_submit(session, count, true);
    const struct assay_event *results = assay_session_collect(session, &n);
    if (results)
        memcpy(ops, results, n * sizeof *ops);
    assay_session_evidence(session, &n);
    assert_int_equal(n, 0);
    assay_session_release(session);
    assay_session_wait(session, &status);
}

static void run_on(const char *subject)
{
    struct assay_session *session = open_on(subject);
    run_program(session);
    assay_session_close(session);
}

static void run(void)
{
    run_on(ASSAY_BINARY_DIR "/lib/support/placed.so");
}

static void threads_make_their_own_ops(void **state)
{
    (void)state;
    size_t before = put_malloc(0, 0, 10), unknown = put_malloc(0, 9, 10);
    put(0, 0, ASSAY_OP_THREAD_START, 1, 0);
    put(0, 0, ASSAY_OP_THREAD_START, 2, 0);
    size_t first = put_malloc(0, 1, 10), between = put_malloc(0, 0, 10),
           second = put_malloc(0, 2, 10);
    put(0, 1, ASSAY_OP_THREAD_EXIT, 0, 0);
    size_t gone = put_malloc(0, 1, 10);
    put(0, 0, ASSAY_OP_THREAD_START, 1, 0);
    size_t again = put_malloc(0, 1, 10);
    run(); /* thread 2 has no end: it is let go */
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    assert_int_equal(place(before), 0);
    assert_int_equal(place(between), 0);
    assert_int_equal(place(first), THREAD);
    assert_int_equal(place(second), THREAD);
    assert_int_equal(place(again), THREAD);
    assert_true(ops[unknown].flags & ASSAY_FLAG_SKIPPED);
    assert_true(ops[gone].flags & ASSAY_FLAG_SKIPPED);
}

static void destructors_run_at_the_threads_end(void **state)
{
    (void)state;
    size_t late[4];
    for (uint16_t round = 0; round < 4; round++) {
        put(0, 0, ASSAY_OP_THREAD_START, round + 1, 0);
        put_malloc(0, round + 1, 10);
        put(0, round + 1, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_KEY, round);
        late[round] = put_malloc(0, round + 1, 10);
        put_malloc(0, 0, 10);
        put(0, round + 1, ASSAY_OP_THREAD_EXIT, 0, 0);
    }
    run();
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    for (int round = 0; round < 4; round++)
        assert_int_equal(place(late[round]), THREAD);
    for (size_t i = 0; i < count; i++)
        assert_true(ops[i].flags & ASSAY_FLAG_EXECUTED);
}

static void a_destructor_waits_for_no_round_that_is_not_to_come(void **state)
{
    (void)state;
    enum { AGAIN = 6, ROUNDS = 4 };
    for (uint16_t thread = 1; thread <= 2; thread++) {
        put(0, 0, ASSAY_OP_THREAD_START, thread, 0);
        for (int i = 0; i < AGAIN; i++) {
            put(0, thread, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_KEY, thread == 1 ? 0 : 9);
            put_malloc(0, thread, 10);
        }
        put(0, thread, ASSAY_OP_THREAD_EXIT, 0, 0);
    }
    run();
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    unsigned entered[3] = {0};
    for (size_t i = 0; i < count; i++)
        if (ops[i].kind == ASSAY_OP_CONTEXT)
            entered[ops[i].thread] += !!(ops[i].flags & ASSAY_FLAG_EXECUTED);
        else
            assert_true(ops[i].flags & ASSAY_FLAG_EXECUTED);
    assert_int_equal(entered[1], ROUNDS); /* one each */
    assert_int_equal(entered[2], 1);      /* the last, at once */
}

static void children_run_between_their_parents_ops(void **state)
{
    (void)state;
    put_malloc(0, 0, 10);
    put(0, 0, ASSAY_OP_FORK, 1, 0);
    size_t child = put_malloc(1, 0, 10);
    put(1, 0, ASSAY_OP_THREAD_START, 1, 0);
    size_t its_thread = put_malloc(1, 1, 10);
    put(1, 0, ASSAY_OP_EXIT, 0, 0);
    size_t never = put_malloc(1, 0, 10), parent = put_malloc(0, 0, 10),
           no_fork = put_malloc(2, 0, 10);
    run();
    assert_int_equal(place(child), FORKED);
    assert_int_equal(place(its_thread), FORKED | THREAD);
    assert_int_equal(place(parent), 0);
    assert_true(ops[never].flags & ASSAY_FLAG_SKIPPED);
    assert_true(ops[no_fork].flags & ASSAY_FLAG_SKIPPED);
}

static void crowded_processes(void **state)
{
    (void)state;
    put_malloc(0, 0, 10);
    put(0, 0, ASSAY_OP_FORK, 1, 0);
    put(1, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_CROWDED, ASSAY_CROWD_ALL);
    size_t crowded = put_malloc(1, 0, 10);
    put(1, 0, ASSAY_OP_THREAD_START, 1, 0);
    size_t in_thread = put_malloc(1, 1, 10);
    put(1, 1, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_CROWDED, ASSAY_CROWD_KEYS); /* the main thread's */
    size_t by_thread = count - 1;
    put(1, 1, ASSAY_OP_THREAD_EXIT, 0, 0);
    put(1, 0, ASSAY_OP_EXIT, 0, 0);
    run();
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    assert_int_equal(place(crowded), FORKED);
    assert_int_equal(place(in_thread), FORKED | THREAD);
    assert_true(ops[by_thread].flags & ASSAY_FLAG_SKIPPED);
    assert_true(ops[2].flags & ASSAY_FLAG_EXECUTED);
}

static void handlers_of_exit(void **state)
{
    (void)state;
    put(0, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_ATEXIT, 0); /* not of the first process */
    put_malloc(0, 0, 10);
    put(0, 0, ASSAY_OP_FORK, 1, 0);
    size_t before = put_malloc(1, 0, 10);
    put(1, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_ATEXIT, 0);
    size_t early = put_malloc(1, 0, 10);
    put(1, 0, ASSAY_OP_EXIT, 0, 0);
    size_t end = count - 1;
    put(0, 0, ASSAY_OP_FORK, 2, 0);
    put(2, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_ATEXIT_FIRST, 0);
    size_t late = put_malloc(2, 0, 10), parent = put_malloc(0, 0, 10);
    run();
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    assert_true(ops[0].flags & ASSAY_FLAG_SKIPPED);
    assert_int_equal(place(before), FORKED);
    assert_int_equal(place(early), FORKED);
    assert_int_equal(place(late), FORKED | ENDED);
    assert_int_equal(place(parent), 0);
    assert_true(ops[end].flags & ASSAY_FLAG_EXECUTED);
}

static void handlers_of_fork(void **state)
{
    (void)state;
    put_malloc(0, 0, 10);
    put(0, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_PREPARE, 0);
    size_t prepare = put_malloc(0, 0, 10);
    put(0, 0, ASSAY_OP_FORK, 1, 0);
    put(1, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_CHILD, 0);
    size_t child = put_malloc(1, 0, 10);
    put(1, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_NONE, 0);
    put_malloc(1, 0, 10);
    put(1, 0, ASSAY_OP_EXIT, 0, 0);
    put(0, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_PARENT, 0);
    size_t parent = put_malloc(0, 0, 10);
    put(0, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_NONE, 0);
    put_malloc(0, 0, 10);
    run();
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    assert_int_equal(place(prepare), 0);
    assert_int_equal(place(child), FORKED);
    assert_int_equal(place(parent), 0);
    for (size_t i = 0; i < count; i++)
        assert_true(ops[i].flags & ASSAY_FLAG_EXECUTED);
}

/* The parent's handler runs all the same. */
static void where_fork_fails_there_is_no_child(void **state)
{
    for (int handlers = 0; handlers < 2; handlers++) {
        start(state);
        put_malloc(0, 0, 10);
        if (handlers)
            put(0, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_PREPARE, 0);
        put(0, 0, ASSAY_OP_FORK, 1, 0);
        size_t fork_at = count - 1, child = put_malloc(1, 0, 10);
        put(1, 0, ASSAY_OP_EXIT, 0, 0);
        if (handlers)
            put(0, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_PARENT, 0);
        put_malloc(0, 0, 10);
        if (handlers)
            put(0, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_NONE, 0);
        put_malloc(0, 0, 10);
        run_on(ASSAY_BINARY_DIR "/lib/support/forkless.so");
        assert_int_equal(status.state, ASSAY_SESSION_ENDED);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(ops[i].flags & (ASSAY_FLAG_EXECUTED | ASSAY_FLAG_SKIPPED),
                             i == fork_at || i == child || i == child + 1 ? ASSAY_FLAG_SKIPPED
                                                                          : ASSAY_FLAG_EXECUTED);
    }
}

/* Each op takes longer than a hang does, and is none: whose it is must be known. */
static void a_childs_child_is_watched(void **state)
{
    enum { DOZES = 81 };
    for (int deeper = 0; deeper < 2; deeper++) {
        start(state);
        put_malloc(0, 0, 10);
        put(0, 0, ASSAY_OP_FORK, 1, 0);
        put(1, 0, ASSAY_OP_FORK, 2, 0);
        put_malloc(2, 0, deeper ? DOZES : 10);
        put(2, 0, ASSAY_OP_EXIT, 0, 0);
        put_malloc(1, 0, deeper ? 10 : DOZES);
        put(1, 0, ASSAY_OP_EXIT, 0, 0);
        put_malloc(0, 0, 10);
        run();
        assert_int_equal(status.state, ASSAY_SESSION_ENDED);
        for (size_t i = 0; i < count; i++)
            assert_true(ops[i].flags & ASSAY_FLAG_EXECUTED);
    }
}

static void a_handler_of_exit_may_fork(void **state)
{
    (void)state;
    put_malloc(0, 0, 10);
    put(0, 0, ASSAY_OP_FORK, 1, 0);
    put(1, 0, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_ATEXIT, 0);
    put(1, 0, ASSAY_OP_FORK, 2, 0);
    size_t child = put_malloc(2, 0, 10), parent = put_malloc(1, 0, 10);
    put_malloc(0, 0, 10);
    run();
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    assert_int_equal(place(child), FORKED);
    assert_int_equal(place(parent), FORKED);
}

static void loops_go_on_beside_the_others(void **state)
{
    (void)state;
    enum { FORKS = 8 };
    put_malloc(0, 0, 100);
    put(0, 0, ASSAY_OP_THREAD_START, 1, 0);
    put(0, 1, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_LOOP, 2);
    size_t looped = put_malloc(0, 1, 1000);
    put(0, 1, ASSAY_OP_FREE, 0, 0);
    ops[count - 1].object = objects;
    for (unsigned child = 1; child <= FORKS; child++) {
        put(0, 0, ASSAY_OP_FORK, child, 0);
        put_malloc((uint16_t)child, 0, 1000);
        put((uint16_t)child, 0, ASSAY_OP_CHECK, 0, 0);
    }
    size_t own = put_malloc(0, 1, 10); /* its turn ends the loop */
    put(0, 1, ASSAY_OP_THREAD_EXIT, 0, 0);
    put(0, 0, ASSAY_OP_CHECK, 0, 0);
    run_on("glibc");
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    for (size_t i = 0; i < count; i++)
        if (i == looped || i == looped + 1)
            assert_true((ops[i].flags & ASSAY_FLAG_LIBRARY) && !ops[i].address);
        else
            assert_true((ops[i].flags & ASSAY_FLAG_EXECUTED) && ops[i].failed == 0);
    assert_true(ops[own].address != 0);
}

/* The record tells whose call it was: the op in hand is its fork, or its child's. */
static void loops_die_beside_the_others(void **state)
{
    (void)state;
    put(0, 0, ASSAY_OP_THREAD_START, 3, 0);
    put(0, 3, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_LOOP, 1);
    put_malloc(0, 3, 82);
    put(0, 0, ASSAY_OP_FORK, 1, 0);
    put_malloc(1, 0, 81);
    hang_ms = 3000;
    struct assay_session *session = open_on(ASSAY_BINARY_DIR "/lib/support/placed.so");
    run_program(session);
    assert_int_equal(status.state, ASSAY_SESSION_CRASHED);
    const struct assay_crash_capture *capture = assay_session_crash(session);
    assert_non_null(capture);
    assert_int_equal(capture->beside, 3);
    assay_session_close(session);
}

static void who_has_the_turn_dies_of_its_own_op(void **state)
{
    (void)state;
    put(0, 0, ASSAY_OP_THREAD_START, 3, 0);
    put_malloc(0, 3, 82);
    put_malloc(0, 3, 82);
    struct assay_session *session = open_on(ASSAY_BINARY_DIR "/lib/support/placed.so");
    run_program(session);
    assert_int_equal(status.state, ASSAY_SESSION_CRASHED);
    assert_int_equal(status.op_index, 2);
    const struct assay_crash_capture *capture = assay_session_crash(session);
    assert_non_null(capture);
    assert_int_equal(capture->beside, 0);
    assay_session_close(session);
}

/* What a loop bore is no object of the next program. */
static void loops_leave_nothing_behind(void **state)
{
    struct assay_session *session = open_on(ASSAY_BINARY_DIR "/lib/support/placed.so");
    put(0, 0, ASSAY_OP_THREAD_START, 1, 0);
    put(0, 1, ASSAY_OP_CONTEXT, ASSAY_CONTEXT_LOOP, 1);
    put_malloc(0, 1, 10);
    put_malloc(0, 0, 10);
    put(0, 1, ASSAY_OP_THREAD_EXIT, 0, 0);
    ops[2].born = ROOM / 2;
    run_program(session);
    start(state);
    put(0, 0, ASSAY_OP_FREE, 0, 0);
    ops[0].object = ROOM / 2;
    run_program(session);
    assay_session_close(session);
    assert_true(ops[0].flags & ASSAY_FLAG_SKIPPED);
}

static void a_childs_end_is_its_parents(void **state)
{
    static const struct {
        uint64_t size;
        enum assay_session_state state;
    } ends[] = {{77, ASSAY_SESSION_HUNG},
                {78, ASSAY_SESSION_CRASHED},
                {79, ASSAY_SESSION_EXITED},
                {80, ASSAY_SESSION_MEMORY}};
    for (int i = 0; i < 8; i++) {
        uint16_t deepest = i < 4 ? 1 : 2;
        start(state);
        put_malloc(0, 0, 10);
        put(0, 0, ASSAY_OP_FORK, 1, 0);
        if (deepest == 2)
            put(1, 0, ASSAY_OP_FORK, 2, 0);
        put_malloc(deepest, 0, 10);
        size_t last = put_malloc(deepest, 0, ends[i % 4].size);
        if (ends[i % 4].state == ASSAY_SESSION_MEMORY)
            hang_ms = 20000;
        put_malloc(0, 0, 10);
        run();
        assert_int_equal(status.state, ends[i % 4].state);
        assert_int_equal(status.op_index, last);
        assert_int_equal(place(last - 1), FORKED);
        assert_int_equal(place(last), NOT_DONE);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, start)
    const struct CMUnitTest tests[] = {
        TEST(threads_make_their_own_ops),
        TEST(destructors_run_at_the_threads_end),
        TEST(a_destructor_waits_for_no_round_that_is_not_to_come),
        TEST(children_run_between_their_parents_ops),
        TEST(crowded_processes),
        TEST(handlers_of_exit),
        TEST(handlers_of_fork),
        TEST(where_fork_fails_there_is_no_child),
        TEST(a_childs_child_is_watched),
        TEST(a_handler_of_exit_may_fork),
        TEST(loops_go_on_beside_the_others),
        TEST(loops_die_beside_the_others),
        TEST(who_has_the_turn_dies_of_its_own_op),
        TEST(loops_leave_nothing_behind),
        TEST(a_childs_end_is_its_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

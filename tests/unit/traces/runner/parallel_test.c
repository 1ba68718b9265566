/* Threads side by side that are preempted inside their calls: everything is executed once, told in
 * an order that could have been, and of a thread that crashes the op is known. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "traces/runner/session.h"

enum { THREADS = 4, ROUNDS = 200, OBJECTS = THREADS * ROUNDS * 2 + 1 };

static struct assay_session *start(const char *subject, bool stepped)
{
    static struct assay_subject_spec spec;
    struct assay_session *session;
    struct assay_error err = {0};
    if (assay_subject_find(subject, &spec, &err) != 0)
        fail_msg("%s", err.text);
    const struct assay_session_config config = {
        .subject = &spec,
        .touch = ASSAY_TOUCH_FULL,
        .max_objects = OBJECTS,
        .seed = 1,
        .hang_ms = 2000,
        .want_results = true,
        .environment = {.order = ASSAY_ORDER_PARTIAL, .preempted = true, .stepped = stepped}};
    if (assay_session_start(&config, &session, &err) != 0)
        fail_msg("%s", err.text);
    return session;
}

/* Each thread's object is resized by it and freed by the next one. */
static size_t put(struct assay_event *ops)
{
    size_t n = 0;
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t thread = 0; thread < THREADS; thread++) {
            uint16_t t = (uint16_t)thread;
            uint32_t object = 1 + 2 * (round * THREADS + t);
            uint16_t other = (uint16_t)((t + 1) % THREADS);
            ops[n++] = (struct assay_event){
                .kind = ASSAY_OP_MALLOC, .thread = t, .born = object, .size = 8 + round % 90};
            ops[n++] = (struct assay_event){.kind = ASSAY_OP_REALLOC,
                                            .thread = t,
                                            .object = object,
                                            .born = object + 1,
                                            .size = 300};
            if (round % 2) /* else they live until the end */
                ops[n++] = (struct assay_event){
                    .kind = ASSAY_OP_FREE, .thread = other, .object = object + 1};
        }
    return n;
}

static void all_is_told_in_order(void **state)
{
    static uint8_t seen[OBJECTS + 1]; /* 1: lives, 2: given up, 3: gone */
    struct assay_session *session = start("glibc", false);
    struct assay_session_status status;
    size_t n, capacity, births = 0, frees = 0;
    (void)state;
    struct assay_event *ops = assay_session_chunk(session, &capacity);
    assert_non_null(ops);
    size_t sent = put(ops);
    assert_true(sent <= capacity);
    assay_session_submit(session, sent, true);
    const struct assay_event *events = assay_session_collect(session, &n);
    assert_non_null(events);
    for (size_t i = 0; i < n; i++) {
        const struct assay_event *event = &events[i];
        assert_true(event->flags & ASSAY_FLAG_EXECUTED);
        assert_int_equal(event->failed, 0);
        if (event->object && !(event->flags & ASSAY_FLAG_END)) {
            assert_int_equal(seen[event->object], 1);
            seen[event->object] = event->kind == ASSAY_OP_FREE ? 3 : 2;
            frees += event->kind == ASSAY_OP_FREE;
        }
        if (event->born && !(event->flags & ASSAY_FLAG_BEGIN)) {
            assert_int_equal(seen[event->born], 0);
            seen[event->born] = 1;
            births++;
        }
    }
    assert_int_equal(births, 2 * THREADS * ROUNDS);
    assert_int_equal(frees, THREADS * ROUNDS / 2);
    assay_session_release(session);
    assay_session_wait(session, &status);
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    assay_session_close(session);
}

static void keep_last(void *self, const struct assay_event *op)
{
    *(struct assay_event *)self = *op;
}

/* Ends in the 100th allocation. */
static void the_op_that_crashed_is_known(void **state)
{
    struct assay_session *session = start(ASSAY_BINARY_DIR "/lib/support/crashes.so", false);
    struct assay_session_status status;
    struct assay_event last = {0};
    const struct assay_sink sink = {.self = &last, .before = keep_last};
    size_t n, capacity;
    (void)state;
    struct assay_event *ops = assay_session_chunk(session, &capacity);
    assert_non_null(ops);
    assay_session_submit(session, put(ops), true);
    assert_non_null(assay_session_collect(session, &n));
    assert_in_range(n, 10, 2000);
    assay_session_feed(session, &sink);
    assert_in_range(last.kind, ASSAY_OP_MALLOC, ASSAY_OP_FREE);
    assert_false(last.flags & ASSAY_FLAG_EXECUTED);
    assay_session_release(session);
    assay_session_wait(session, &status);
    assert_int_equal(status.state, ASSAY_SESSION_CRASHED);
    assert_int_equal(status.signal, SIGSEGV);
    assay_session_close(session);
}

/* Returns the signal that a program ended by, 0 = none. Some of its objects are large ones: what
 * frees them is what the thread of the zoo's workers calls. */
static int end_of(const char *subject, bool stepped)
{
    struct assay_session *session = start(subject, stepped);
    struct assay_session_status status;
    size_t n, capacity;
    struct assay_event *ops = assay_session_chunk(session, &capacity);
    assert_non_null(ops);
    size_t sent = put(ops);
    for (size_t i = 0; i < sent; i++)
        if (ops[i].kind == ASSAY_OP_REALLOC && ops[i].object % 3 == 0)
            ops[i].size = 20000;
    assay_session_submit(session, sent, true);
    if (assay_session_collect(session, &n))
        assay_session_release(session);
    assay_session_wait(session, &status);
    assay_session_close(session);
    return status.state == ASSAY_SESSION_ENDED ? 0 : status.signal;
}

/* A thread that blocks all signals by name does not block ours; one that asks the kernel itself
 * ends the process at a breakpoint, so none is set where calls are interrupted in steps alone. */
static void threads_that_block_signals_go_on(void **state)
{
    enum { TIMES = 8, TRIES = 100 };
    int signal = 0;
    (void)state;
    for (unsigned i = 0; i < TIMES; i++) {
        assert_int_equal(end_of(ASSAY_BINARY_DIR "/lib/zoo/libcorrect_worker.so", false), 0);
        assert_int_equal(end_of(ASSAY_BINARY_DIR "/lib/zoo/libcorrect_masks.so", true), 0);
    }
#if defined(__x86_64__) /* where breakpoints are */
    for (unsigned i = 0; i < TRIES && signal == 0; i++)
        signal = end_of(ASSAY_BINARY_DIR "/lib/zoo/libcorrect_masks.so", false);
    assert_int_equal(signal, SIGTRAP);
#endif
    (void)signal;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_told_in_order),
        cmocka_unit_test(the_op_that_crashed_is_known),
        cmocka_unit_test(threads_that_block_signals_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

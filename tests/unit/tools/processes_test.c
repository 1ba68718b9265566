/* A stream of several processes is judged process by process, a child from its parent's state. */
#include <signal.h>

#include "tests/unit/oracles/stream.h"
#include "tools/processes.h"

enum { BASE = 0x10000000 };

static struct stream s;
static struct assay_processes processes;
static unsigned heard; /* reports of a process's own */

static void report(void *self, const struct assay_violation *violation)
{
    if (processes.muted)
        return;
    heard++;
    stream_report(self, violation);
}

static int setup(void **state)
{
    (void)state;
    stream_open(&s, STREAM_HAS_ALL, NULL);
    stream_close(&s);
    s.config.report = report;
    assert_int_equal(assay_arena_create(&s.arena, assay_judge_bytes(&s.config), NULL), 0);
    s.judge = assay_judge_create(&s.arena, &s.config);
    assay_processes_reset(&processes);
    heard = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stream_close(&s);
    assay_processes_free(&processes);
    return 0;
}

static void tell(struct assay_event event, bool done)
{
    const struct assay_sink sink = assay_processes_sink(&processes);
    if (event.kind != ASSAY_OP_EVIDENCE)
        sink.before(sink.self, &event);
    if (done)
        sink.after(sink.self, &event);
}

static void put_malloc(uint16_t process, uint32_t born, uint64_t where)
{
    tell((struct assay_event){.kind = ASSAY_OP_MALLOC,
                              .process = process,
                              .born = born,
                              .size = 40,
                              .address = where,
                              .flags = ASSAY_FLAG_EXECUTED},
         true);
}

static void put_fork(uint16_t child)
{
    tell((struct assay_event){.kind = ASSAY_OP_FORK, .arg = child, .flags = ASSAY_FLAG_EXECUTED},
         true);
}

static void put_free(uint16_t process, uint32_t object)
{
    tell((struct assay_event){.kind = ASSAY_OP_FREE,
                              .process = process,
                              .object = object,
                              .flags = ASSAY_FLAG_EXECUTED},
         true);
}

static void each_has_its_own_heap(void **state)
{
    (void)state;
    put_malloc(0, 1, BASE);
    put_fork(1);
    put_free(1, 1);
    put_malloc(1, 2, BASE); /* free there, live in the parent */
    put_malloc(0, 3, BASE + 64);
    put_free(0, 1);
    put_malloc(0, 4, BASE);
    unsigned told = 0;
    while (assay_processes_next(&processes, s.judge))
        told++;
    assert_int_equal(told, 2);
    assert_int_equal(heard, 0);
}

static void a_violation_is_told_once_and_by_its_number(void **state)
{
    (void)state;
    put_malloc(0, 1, BASE);
    put_malloc(0, 2, BASE); /* overlaps, before the fork */
    put_fork(1);
    put_malloc(1, 3, BASE + 64);
    put_fork(2);
    put_malloc(2, 4, BASE + 128);
    put_malloc(2, 5, BASE + 128); /* and in the second child */
    while (assay_processes_next(&processes, s.judge))
        continue;
    assert_int_equal(heard, 2);
    assert_int_equal(s.reports[0].object, 2);
    assert_int_equal(s.reports[1].object, 5);
    assert_int_equal(processes.number, 7);
}

static void what_was_in_progress_is_its_process_own(void **state)
{
    (void)state;
    put_malloc(0, 1, BASE);
    tell((struct assay_event){.kind = ASSAY_OP_FREE, .object = 1}, true);
    put_fork(1);
    put_malloc(1, 2, BASE + 64);
    tell((struct assay_event){.kind = ASSAY_OP_FREE, .process = 1, .object = 2}, false);
    assert_true(assay_processes_next(&processes, s.judge));
    assert_false(processes.last);
    assert_true(assay_processes_next(&processes, s.judge));
    assert_true(processes.last);
    assert_int_equal(processes.number, 4);
    assay_judge_crash(s.judge, SIGSEGV);
    assert_int_equal(heard, 1);
    assert_int_equal(s.reports[0].property, ASSAY_PROPERTY_C30);
    assert_int_equal(s.reports[0].kind, ASSAY_OP_FREE);
    assert_false(assay_processes_next(&processes, s.judge));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_has_its_own_heap),
        TEST(a_violation_is_told_once_and_by_its_number),
        TEST(what_was_in_progress_is_its_process_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The assembler: what raw records become. The trace writer is a list in this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "traces/capture/assemble.h"

enum { MOST = 4096, PID = 100, MAIN = 100, OTHER = 101, CHILD = 200 };

static struct assay_event events[MOST];
static size_t n;
static struct assay_trace_site sites[64];
static uint32_t site_count;

int assay_trace_append(struct assay_trace_writer *writer, const struct assay_event *list,
                       size_t count, struct assay_error *err)
{
    (void)writer;
    (void)err;
    assert_true(n + count <= MOST);
    memcpy(events + n, list, count * sizeof *list);
    n += count;
    return 0;
}

int assay_trace_tick(struct assay_trace_writer *writer, uint64_t now_ns, struct assay_error *err)
{
    (void)writer;
    (void)now_ns;
    (void)err;
    return 0;
}

uint32_t assay_trace_site(struct assay_trace_writer *writer, const struct assay_trace_site *site)
{
    (void)writer;
    static char modules[64][32];
    assert_true(site_count < 64);
    sites[site_count] = *site;
    if (site->module) {
        snprintf(modules[site_count], sizeof modules[0], "%s", site->module);
        sites[site_count].module = modules[site_count];
    }
    return ++site_count;
}

static struct assay_assembler *assembler;
static struct assay_trace_totals totals;
static uint64_t clock_ns;

static void begin_with(const struct assay_assembler_options *options)
{
    static int writer;
    n = 0;
    site_count = 0;
    clock_ns = 0;
    assert_int_equal(assay_assembler_create((struct assay_trace_writer *)(void *)&writer, options,
                                            &assembler, NULL),
                     0);
}

static void begin(void)
{
    const struct assay_assembler_options options = {0};
    begin_with(&options);
}

static void end(void)
{
    assert_int_equal(assay_assembler_finish(assembler, &totals, NULL), 0);
    assert_int_equal(totals.events, n);
    assay_assembler_free(assembler);
}

static void feed(struct assay_raw raw)
{
    if (!raw.pid)
        raw.pid = PID;
    if (!raw.tid)
        raw.tid = raw.pid;
    if (!raw.time)
        raw.time = clock_ns += 100;
    assert_int_equal(assay_assembler_feed(assembler, &raw, 1, NULL), 0);
}
#define FEED(...)              feed((struct assay_raw){__VA_ARGS__})
#define MALLOC(address, bytes) .kind = ASSAY_OP_MALLOC, .result = (address), .size = (bytes)
#define FREE(address)          .kind = ASSAY_OP_FREE, .pointer = (address)
#define BEGIN(address, bytes)                                                                      \
    .kind = ASSAY_OP_REALLOC, .flags = ASSAY_FLAG_BEGIN, .pointer = (address), .size = (bytes)
#define END(address) .kind = ASSAY_OP_REALLOC, .flags = ASSAY_FLAG_END, .result = (address)

static void objects_are_numbered_by_birth(void **state)
{
    (void)state;
    begin();
    FEED(MALLOC(0x1000, 10));
    FEED(.kind = ASSAY_OP_CALLOC, .result = 0x2000, .size = 4, .arg = 5);
    FEED(FREE(0x1000));
    FEED(MALLOC(0x1000, 11));
    FEED(FREE(0x2000));
    FEED(FREE(0x1000));
    FEED(FREE(0));
    end();
    assert_int_equal(n, 7);
    assert_int_equal(events[0].born, 1);
    assert_int_equal(events[0].address, 0x1000);
    assert_int_equal(events[1].born, 2);
    assert_int_equal(events[1].arg, 5);
    assert_int_equal(events[2].object, 1);
    assert_int_equal(events[3].born, 3);
    assert_int_equal(events[4].object, 2);
    assert_int_equal(events[5].object, 3);
    assert_int_equal(events[6].place, ASSAY_PLACE_NULL);
    assert_int_equal(totals.objects, 3);
    assert_int_equal(totals.unknown_frees, 0);
    assert_int_equal(totals.processes, 1);
    assert_int_equal(totals.threads, 1);
}

static void unknown_and_double_frees_stay(void **state)
{
    (void)state;
    begin();
    FEED(FREE(0x5000));
    FEED(MALLOC(0x1000, 10));
    FEED(FREE(0x1000));
    FEED(FREE(0x1000));
    end();
    assert_int_equal(n, 4);
    assert_int_equal(events[0].place, ASSAY_PLACE_WILD);
    assert_int_equal(events[0].arg, 0x5000);
    assert_int_equal(events[3].place, ASSAY_PLACE_OBJECT);
    assert_int_equal(events[3].object, 1);
    assert_int_equal(totals.unknown_frees, 1);
}

static void adjacent_halves_of_a_resize_are_one_event(void **state)
{
    (void)state;
    begin();
    FEED(MALLOC(0x1000, 10));
    FEED(BEGIN(0x1000, 20));
    FEED(END(0x3000));
    FEED(FREE(0x3000));
    end();
    assert_int_equal(n, 3);
    assert_int_equal(events[1].flags, ASSAY_FLAG_EXECUTED);
    assert_int_equal(events[1].object, 1);
    assert_int_equal(events[1].born, 2);
    assert_int_equal(events[1].size, 20);
    assert_int_equal(events[1].address, 0x3000);
    assert_int_equal(events[2].object, 2);
}

/* Another thread gets the old address while the resize is under way: the halves must not meet. */
static void interleaved_halves_stay_apart(void **state)
{
    (void)state;
    begin();
    FEED(MALLOC(0x1000, 10));
    FEED(BEGIN(0x1000, 20));
    FEED(MALLOC(0x1000, 9), .tid = OTHER);
    FEED(END(0x3000));
    FEED(FREE(0x1000), .tid = OTHER);
    end();
    assert_int_equal(n, 6);
    assert_int_equal(events[1].flags & ASSAY_FLAG_BEGIN, ASSAY_FLAG_BEGIN);
    assert_int_equal(events[1].born, 0);
    assert_int_equal(events[2].kind, ASSAY_OP_THREAD_START);
    assert_int_equal(events[2].arg, 1);
    assert_int_equal(events[3].thread, 1);
    assert_int_equal(events[3].born, 2);
    assert_int_equal(events[4].flags & ASSAY_FLAG_END, ASSAY_FLAG_END);
    assert_int_equal(events[4].object, 1);
    assert_int_equal(events[4].born, 3);
    assert_int_equal(events[4].size, 20);
    assert_int_equal(events[5].object, 2);
    assert_int_equal(totals.threads, 2);
}

static void a_failed_resize_gives_the_object_back(void **state)
{
    (void)state;
    begin();
    FEED(MALLOC(0x1000, 10));
    FEED(BEGIN(0x1000, 1 << 30));
    FEED(END(0), .error = 12);
    FEED(BEGIN(0x1000, 0)); /* frees */
    FEED(END(0));
    FEED(MALLOC(0x1000, 3));
    FEED(FREE(0x1000));
    end();
    assert_int_equal(n, 5);
    assert_int_equal(events[1].error, 12);
    assert_int_equal(events[1].address, ASSAY_ADDRESS_NULL);
    assert_int_equal(events[2].object, 1);
    assert_int_equal(events[4].object, 4);
}

static void a_resize_without_an_end_stays_a_begin(void **state)
{
    (void)state;
    begin();
    FEED(MALLOC(0x1000, 10));
    FEED(BEGIN(0x1000, 20));
    end();
    assert_int_equal(n, 2);
    assert_int_equal(events[1].flags & ASSAY_FLAG_BEGIN, ASSAY_FLAG_BEGIN);
}

static void a_forked_child_inherits_and_parts(void **state)
{
    (void)state;
    begin();
    FEED(MALLOC(0x1000, 10));
    FEED(.kind = ASSAY_OP_FORK, .arg = CHILD);
    FEED(FREE(0x1000), .pid = CHILD);
    FEED(MALLOC(0x1000, 7), .pid = CHILD);
    FEED(FREE(0x1000));
    FEED(FREE(0x1000), .pid = CHILD);
    FEED(.kind = ASSAY_OP_EXIT, .pid = CHILD, .arg = 3 << 8);
    end();
    assert_int_equal(n, 7);
    assert_int_equal(events[1].kind, ASSAY_OP_FORK);
    assert_int_equal(events[1].arg, 1);
    assert_int_equal(events[2].process, 1);
    assert_int_equal(events[2].object, 1);
    assert_int_equal(events[4].process, 0);
    assert_int_equal(events[4].object, 1);
    assert_int_equal(events[5].object, 2);
    assert_int_equal(events[6].kind, ASSAY_OP_EXIT);
    assert_int_equal(events[6].arg, 3);
    assert_int_equal(totals.processes, 2);
    assert_int_equal(totals.unknown_frees, 0);
}

static void exec_drops_the_live_set(void **state)
{
    (void)state;
    begin();
    FEED(.kind = ASSAY_OP_EXEC); /* of the root: no event */
    FEED(MALLOC(0x1000, 10));
    FEED(MALLOC(0x2000, 10), .tid = OTHER);
    FEED(.kind = ASSAY_OP_EXEC);
    FEED(FREE(0x1000));
    FEED(MALLOC(0x1000, 10), .tid = OTHER + 1);
    FEED(.kind = ASSAY_OP_EXIT, .arg = SIGKILL);
    end();
    assert_int_equal(n, 8);
    assert_int_equal(events[3].kind, ASSAY_OP_EXEC);
    assert_int_equal(events[4].place, ASSAY_PLACE_WILD);
    assert_int_equal(events[5].kind, ASSAY_OP_THREAD_START);
    assert_int_equal(events[6].thread, 2); /* numbers of the old image's threads are not reused */
    assert_int_equal(events[7].signal, SIGKILL);
}

static void an_unannounced_program_is_a_forked_and_execed_child(void **state)
{
    (void)state;
    begin();
    FEED(MALLOC(0x1000, 10));
    FEED(.kind = ASSAY_OP_EXEC, .pid = CHILD, .arg = PID);
    FEED(FREE(0x1000), .pid = CHILD);
    end();
    assert_int_equal(n, 4);
    assert_int_equal(events[1].kind, ASSAY_OP_FORK);
    assert_int_equal(events[1].process, 0);
    assert_int_equal(events[1].arg, 1);
    assert_int_equal(events[2].kind, ASSAY_OP_EXEC);
    assert_int_equal(events[2].process, 1);
    assert_int_equal(events[3].place, ASSAY_PLACE_WILD);
}

static void threads_start_once_and_exit(void **state)
{
    (void)state;
    begin();
    FEED(MALLOC(0x1000, 10));
    FEED(.kind = ASSAY_OP_THREAD_START, .arg = OTHER);
    FEED(FREE(0x1000), .tid = OTHER);
    FEED(.kind = ASSAY_OP_THREAD_EXIT, .tid = OTHER);
    FEED(.kind = ASSAY_OP_THREAD_START, .arg = OTHER); /* the kernel uses the tid again */
    FEED(MALLOC(0x1000, 10), .tid = OTHER);
    end();
    assert_int_equal(n, 6);
    assert_int_equal(events[1].arg, 1);
    assert_int_equal(events[2].thread, 1);
    assert_int_equal(events[3].kind, ASSAY_OP_THREAD_EXIT);
    assert_int_equal(events[3].thread, 1);
    assert_int_equal(events[4].arg, 2);
    assert_int_equal(events[5].thread, 2);
    assert_int_equal(totals.threads, 3);
}

static void the_library_s_calls_are_counted_only(void **state)
{
    (void)state;
    begin();
    FEED(MALLOC(0x1000, 10));
    FEED(FREE(0x1000), .flags = ASSAY_FLAG_LIBRARY);
    FEED(FREE(0x1000));
    end();
    assert_int_equal(n, 2);
    assert_int_equal(totals.library_calls, 1);
    assert_int_equal(events[1].object, 1);
}

static const struct assay_assembler_options repairing = {.repair_window_ns = 1000};

static void a_late_release_is_pulled_forward(void **state)
{
    (void)state;
    begin_with(&repairing);
    FEED(MALLOC(0x1000, 10), .time = 10000);
    FEED(MALLOC(0x1000, 20), .tid = OTHER, .time = 20000);
    FEED(MALLOC(0x2000, 1), .time = 20300);
    FEED(FREE(0x1000), .time = 20400);
    FEED(FREE(0x1000), .tid = OTHER, .time = 30000);
    end();
    assert_int_equal(totals.repaired, 1);
    assert_int_equal(n, 6);
    assert_int_equal(events[1].kind, ASSAY_OP_THREAD_START);
    assert_int_equal(events[2].kind, ASSAY_OP_FREE);
    assert_int_equal(events[2].object, 1);
    assert_int_equal(events[2].thread, 0);
    assert_int_equal(events[3].born, 2);
    assert_int_equal(events[5].object, 2);
}

static void what_is_no_crossing_of_stamps_is_not_repaired(void **state)
{
    (void)state;
    begin_with(&repairing);
    FEED(MALLOC(0x1000, 10), .time = 10000);
    FEED(MALLOC(0x1000, 20), .tid = OTHER, .time = 20000);
    FEED(FREE(0x1000), .time = 21500); /* too late */
    FEED(MALLOC(0x3000, 10), .time = 30000);
    FEED(MALLOC(0x3000, 20), .time = 31000); /* the same thread cannot have crossed itself */
    FEED(FREE(0x3000), .time = 31100);
    end();
    assert_int_equal(totals.repaired, 0);
    assert_int_equal(events[0].born, 1);
    assert_int_equal(events[2].born, 2);
    assert_int_equal(events[3].object, 2);
}

static const char maps[] = "55d000000000-55d000001000 r--p 00000000 08:01 1  /usr/bin/app\n"
                           "55d000001000-55d000003000 r-xp 00001000 08:01 1  /usr/bin/app\n"
                           "7f0000000000-7f0000100000 r-xp 00028000 08:01 2  /lib/my library.so\n";
static unsigned asked;

static void give_maps(void *self, uint32_t pid, uint64_t address)
{
    (void)self;
    (void)address;
    asked++;
    assert_int_equal(assay_assembler_maps(assembler, pid, maps, sizeof maps - 1, NULL), 0);
}

static void sites_are_interned_by_module_and_offset(void **state)
{
    const struct assay_assembler_options options = {.need_maps = give_maps};
    (void)state;
    asked = 0;
    begin_with(&options);
    FEED(MALLOC(0x1000, 1), .caller = 0x55d000001234);
    FEED(MALLOC(0x2000, 1), .caller = 0x7f0000000010);
    FEED(MALLOC(0x3000, 1), .caller = 0x55d000001234);
    FEED(MALLOC(0x4000, 1), .caller = 0x1234); /* nobody's */
    FEED(MALLOC(0x5000, 1), .caller = 0x1238);
    FEED(.kind = ASSAY_OP_EXEC, .pid = CHILD, .arg = PID);
    assert_int_equal(assay_assembler_module(assembler, CHILD, 0x660000000000, 0x660000002000,
                                            0x1000, "/usr/bin/app", NULL),
                     0);
    FEED(MALLOC(0x1000, 1), .pid = CHILD, .caller = 0x660000000234);
    end();
    assert_int_equal(asked, 2); /* the first, and the page of nobody */
    assert_int_equal(events[0].site, 1);
    assert_int_equal(events[1].site, 2);
    assert_int_equal(events[2].site, 1);
    assert_int_equal(events[7].site, 1);
    assert_string_equal(sites[0].module, "/usr/bin/app");
    assert_int_equal(sites[0].offset, 0x1234);
    assert_string_equal(sites[1].module, "/lib/my library.so");
    assert_int_equal(sites[1].offset, 0x28010);
    assert_null(sites[2].module);
    assert_int_equal(sites[2].address, 0x1234);
}

static void scrubbed_sites_name_nothing(void **state)
{
    const struct assay_assembler_options options = {.need_maps = give_maps, .scrub = true};
    (void)state;
    begin_with(&options);
    FEED(MALLOC(0x1000, 1), .caller = 0x55d000001234);
    end();
    assert_null(sites[0].module);
    assert_int_equal(sites[0].address, 0x1234);
}

/* The pointer table through growth and purge: a million objects, most of them dead. */
static void many_objects_keep_their_numbers(void **state)
{
    struct assay_trace_totals counted;
    const struct assay_assembler_options options = {0};
    (void)state;
    assert_int_equal(assay_assembler_create(NULL, &options, &assembler, NULL), 0);
    for (uint64_t i = 1; i <= 3000000; i++) {
        FEED(MALLOC(i * 16, 8));
        if (i % 10)
            FEED(FREE(i * 16));
    }
    for (uint64_t i = 10; i <= 3000000; i += 10)
        FEED(FREE(i * 16));
    assert_int_equal(assay_assembler_finish(assembler, &counted, NULL), 0);
    assay_assembler_free(assembler);
    assert_int_equal(counted.events, 6000000);
    assert_int_equal(counted.unknown_frees, 0);
    assert_int_equal(counted.objects, 3000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_numbered_by_birth),
        cmocka_unit_test(unknown_and_double_frees_stay),
        cmocka_unit_test(adjacent_halves_of_a_resize_are_one_event),
        cmocka_unit_test(interleaved_halves_stay_apart),
        cmocka_unit_test(a_failed_resize_gives_the_object_back),
        cmocka_unit_test(a_resize_without_an_end_stays_a_begin),
        cmocka_unit_test(a_forked_child_inherits_and_parts),
        cmocka_unit_test(exec_drops_the_live_set),
        cmocka_unit_test(an_unannounced_program_is_a_forked_and_execed_child),
        cmocka_unit_test(threads_start_once_and_exit),
        cmocka_unit_test(the_library_s_calls_are_counted_only),
        cmocka_unit_test(a_late_release_is_pulled_forward),
        cmocka_unit_test(what_is_no_crossing_of_stamps_is_not_repaired),
        cmocka_unit_test(sites_are_interned_by_module_and_offset),
        cmocka_unit_test(scrubbed_sites_name_nothing),
        cmocka_unit_test(many_objects_keep_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

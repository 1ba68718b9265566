/* A trace as programs: what a process inherits over many forks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/replay_source.h"

enum { DEPTH = 300 };

static char path[] = "/tmp/assay-replay-source-XXXXXX.trace";

/* Process n makes object n + 1, forks process n + 1 and, when all have, the last frees all. */
static void write_nest(void)
{
    static struct assay_event events[3 * DEPTH];
    const struct assay_trace_meta meta = {.has = ASSAY_HAS_ORDER, .method = "test"};
    const struct assay_trace_totals totals = {
        .processes = DEPTH, .threads = DEPTH, .objects = DEPTH};
    struct assay_trace_writer *writer;
    struct assay_error err;
    size_t n = 0;
    for (uint32_t i = 0; i < DEPTH; i++) {
        events[n++] = (struct assay_event){
            .kind = ASSAY_OP_MALLOC, .process = (uint16_t)i, .born = i + 1, .size = 100 + i};
        if (i + 1 < DEPTH)
            events[n++] =
                (struct assay_event){.kind = ASSAY_OP_FORK, .process = (uint16_t)i, .arg = i + 1};
    }
    for (uint32_t i = 0; i < DEPTH; i++)
        events[n++] =
            (struct assay_event){.kind = ASSAY_OP_FREE, .process = DEPTH - 1, .object = i + 1};
    assert_int_equal(assay_trace_create(path, &meta, NULL, &writer, &err), 0);
    assert_int_equal(assay_trace_append(writer, events, n, &err), 0);
    assert_int_equal(assay_trace_close(writer, &totals, &err), 0);
}

static void all_ancestors_leave_their_objects(void **state)
{
    static struct assay_event events[4 * DEPTH];
    struct assay_replay_source *source;
    struct assay_error err;
    const struct assay_replay_image *images;
    size_t total = 0;
    long n;
    (void)state;
    write_nest();
    assert_int_equal(assay_replay_open(path, false, DEPTH - 1, &source, &err), 0);
    assert_int_equal(assay_replay_images(source, &images), 1);
    assert_int_equal(assay_replay_begin(source, 0, &err), 0);
    while ((n = assay_replay_next(source, events + total, 64, &err)) > 0)
        total += (size_t)n;
    assert_int_equal(n, 0);
    /* what is inherited, its own object, and the releases */
    assert_int_equal(total, 2 * DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++) {
        assert_int_equal(events[i].kind, ASSAY_OP_MALLOC);
        assert_int_equal(events[i].born, i + 1);
        assert_int_equal(events[i].size, 100 + i);
        assert_int_equal(events[DEPTH + i].kind, ASSAY_OP_FREE);
    }
    assert_int_equal(assay_replay_left_out(source).unknown, 0);
    assay_replay_close(source);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_ancestors_leave_their_objects)};
    int file = mkstemps(path, 6);
    if (file < 0)
        return 1;
    close(file);
    unlink(path);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

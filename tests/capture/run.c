#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/capture/run.h"
#include "traces/trace.h"

void run_load(struct run *run)
{
    struct assay_trace_reader *reader;
    struct assay_error err;
    if (assay_trace_open(run->path, &reader, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(assay_trace_complete(reader));
    size_t capacity = run->result.totals.events + 1;
    run->events = calloc(capacity, sizeof *run->events);
    assert_non_null(run->events);
    for (long got; (got = assay_trace_read(reader, run->events + run->n, capacity - run->n, &err));
         run->n += (size_t)got)
        if (got < 0)
            fail_msg("%s", err.text);
    assert_int_equal(run->n, run->result.totals.events);
    assay_trace_free(reader);
}

size_t run_count(const struct run *run, enum assay_op kind)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n; i++)
        n += run->events[i].kind == kind;
    return n;
}

void run_release(struct run *run)
{
    unlink(run->path);
    free(run->events);
    *run = (struct run){0};
}

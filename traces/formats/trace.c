/* A trace file into a trace file: gives a whole file for one that was cut off or damaged. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/format.h"

enum { BATCH = 4096 };

/* Copies events up to the end or to the first block that is malformed; *ret_end says why there. */
static int copy(struct assay_trace_reader *reader, struct assay_trace_writer *writer,
                uint64_t *ret_events, struct assay_error *ret_end, struct assay_error *err)
{
    struct assay_event *events = malloc(BATCH * sizeof *events);
    uint32_t sites = 0;
    long n = 0;
    int code = events ? 0 : assay_fail(err, ASSAY_E_MEMORY, "cannot import: out of memory");
    while (!code && (n = assay_trace_read(reader, events, BATCH, ret_end)) > 0) {
        const struct assay_trace_site *site;
        while ((site = assay_trace_get_site(reader, sites + 1)) && ++sites)
            assay_trace_site(writer, site);
        code = assay_trace_append(writer, events, (size_t)n, err);
        *ret_events += (uint64_t)n;
    }
    if (!code && n < 0 && (n != ASSAY_E_FORMAT || *ret_events == 0)) {
        *err = *ret_end;
        code = (int)n;
    }
    free(events);
    return code ? code : assay_trace_check_rest(reader, err);
}

/* What people should know about a file that is not all of what was captured. */
static void describe(struct assay_import *import, const struct assay_trace_totals *totals,
                     const struct assay_error *end)
{
    int n = snprintf(import->note, sizeof import->note,
                     "'%.200s' is a fragment, and says so: ", import->to);
    if (totals->lost_blocks)
        snprintf(import->note + n, sizeof import->note - (size_t)n,
                 "damaged blocks left out: %" PRIu64 "%s%s", totals->lost_blocks,
                 end->code ? "; " : "", end->text);
    else
        snprintf(import->note + n, sizeof import->note - (size_t)n,
                 "what was cut off or damaged is missing%s%s", end->code ? ": " : "", end->text);
}

int assay_trace_import(struct assay_import *import, struct assay_error *err)
{
    struct assay_trace_reader *reader;
    struct assay_trace_writer *writer = NULL;
    struct assay_error end = {0};
    struct assay_trace_options options = import->options;
    int code = assay_trace_open(import->from, &reader, err);
    if (code)
        return code;
    if (!options.time_unit_ns)
        options.time_unit_ns = assay_trace_time_unit_ns(reader);
    code = assay_trace_create(import->to, assay_trace_meta(reader), &options, &writer, err);
    if (!code)
        code = copy(reader, writer, &import->events, &end, err);
    if (!code) {
        struct assay_trace_totals totals = *assay_trace_totals(reader);
        if (end.code)
            totals.fragment = 1;
        if (!assay_trace_complete(reader) || end.code)
            describe(import, &totals, &end);
        import->totals = totals;
        code = assay_trace_close(writer, &totals, err);
        writer = NULL;
        if (code)
            assay_trace_discard(import->to);
    }
    assay_trace_abandon(writer);
    assay_trace_free(reader);
    return code;
}

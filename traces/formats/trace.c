/* A trace file into a trace file: gives a whole file for one that was cut off or damaged. */
#include <stdlib.h>
#include <string.h>

#include "traces/format.h"
#include "traces/trace_meta.h"

enum { BATCH = 4096 };

/* Copies events up to the end or to the first block that cannot be read; *ret_end says why there.
 */
static int copy(struct assay_trace_reader *reader, struct assay_trace_writer *writer,
                struct assay_trace_totals *totals, struct assay_error *ret_end,
                struct assay_error *err)
{
    struct assay_event *events = malloc(BATCH * sizeof *events);
    uint32_t sites = 0;
    long n = 0;
    int code = events ? 0 : assay_fail(err, ASSAY_E_MEMORY, "cannot import: out of memory");
    while (!code && (n = assay_trace_read(reader, events, BATCH, ret_end)) > 0) {
        const struct assay_trace_site *site;
        while ((site = assay_trace_get_site(reader, sites + 1)) && ++sites)
            assay_trace_site(writer, site);
        for (long i = 0; i < n; i++)
            trace_totals_count(totals, &events[i]);
        code = assay_trace_append(writer, events, (size_t)n, err);
    }
    if (!code && n < 0 && n != ASSAY_E_CHECKSUM && n != ASSAY_E_FORMAT) {
        *err = *ret_end;
        code = (int)n;
    }
    free(events);
    return code;
}

int assay_trace_import(struct assay_import *import, struct assay_error *err)
{
    struct assay_trace_reader *reader;
    struct assay_trace_writer *writer = NULL;
    struct assay_trace_totals totals = {0};
    struct assay_error end = {0};
    struct assay_trace_options options = import->options;
    int code = assay_trace_open(import->from, &reader, err);
    if (code)
        return code;
    if (!options.time_unit_ns)
        options.time_unit_ns = assay_trace_time_unit_ns(reader);
    code = assay_trace_create(import->to, assay_trace_meta(reader), &options, &writer, err);
    if (!code)
        code = copy(reader, writer, &totals, &end, err);
    if (!code) {
        bool whole = assay_trace_complete(reader) && !end.code;
        if (whole)
            totals = *assay_trace_totals(reader);
        else
            snprintf(import->note, sizeof import->note,
                     "the trace ends early; its loss counters are not known%s%s",
                     end.code ? ": " : "", end.text);
        import->events = totals.events;
        code = assay_trace_close(writer, &totals, err);
        writer = NULL;
        if (code)
            assay_trace_discard(import->to);
    }
    assay_trace_abandon(writer);
    assay_trace_free(reader);
    return code;
}

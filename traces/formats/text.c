/* The text form as a format: assay import, assay show --text. The grammar is in traces/FORMAT.md.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "traces/format.h"
#include "traces/lines.h"
#include "traces/text.h"
#include "traces/trace_format.h"
#include "traces/trace_meta.h"

struct text_import {
    struct assay_lines *lines;
    struct assay_import *import;
    struct assay_trace_writer *writer; /* NULL until the first line that is not of the header */
    struct trace_meta meta;
    bool has_given;
    uint32_t sites;
    struct assay_trace_totals totals, counted;
    uint64_t totals_given; /* rows, as bits */
};

int assay_text_export(struct assay_trace_reader *reader, FILE *out, struct assay_error *err)
{
    return assay_text_write(reader, out, 0, err);
}

static bool number(const char *text, uint64_t max, uint64_t *ret_value)
{
    char *end;
    errno = 0;
    if (!text || *text < '0' || *text > '9')
        return false;
    *ret_value = strtoull(text, &end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
    return errno == 0 && *end == '\0' && *ret_value <= max;
}

static int start(struct text_import *state, struct assay_error *err)
{
    struct assay_trace_options options = state->import->options;
    if (state->writer)
        return 0;
    if (!options.time_unit_ns)
        options.time_unit_ns = state->meta.time_unit_ns ? state->meta.time_unit_ns : 1;
    if (!state->has_given)
        state->meta.meta.has = ASSAY_HAS_ORDER | ASSAY_HAS_THREAD;
    if (!state->meta.meta.method)
        state->meta.meta.method = "import:text";
    return assay_trace_create(state->import->to, &state->meta.meta, &options, &state->writer, err);
}

static int take_site(struct text_import *state, char *rest, struct assay_error *err)
{
    struct assay_trace_site site = {0};
    uint64_t index;
    char *index_text = strsep(&rest, " "), *address = strsep(&rest, " ");
    char *offset = strsep(&rest, " ");
    bool fine = number(index_text, UINT32_MAX, &index) &&
                number(address, UINT64_MAX, &site.address) &&
                (!offset || (rest && number(offset, UINT64_MAX, &site.offset)));
    site.module = rest;
    if (!fine || (rest && !assay_text_unescape(rest)))
        return assay_lines_fail(state->lines, err, "a site is '%site N ADDRESS [OFFSET MODULE]'");
    if (index != state->sites + 1)
        return assay_lines_fail(state->lines, err, "sites are numbered 1, 2, 3, ...");
    if (strlen(site.module ? site.module : "") > TRACE_STRING_MAX)
        return assay_lines_fail(state->lines, err, "the module's path is too long");
    int code = start(state, err);
    if (code)
        return code;
    state->sites++;
    if (!state->import->options.no_callers &&
        assay_trace_site(state->writer, &site) != state->sites)
        return assay_lines_fail(state->lines, err,
                                "this site was there before, or there are too "
                                "many");
    return 0;
}

static int take_total(struct text_import *state, char *rest, struct assay_error *err)
{
    uint64_t value;
    char *key = strsep(&rest, " ");
    for (unsigned i = 0; i < TRACE_TOTALS; i++)
        if (strcmp(key, trace_totals[i].key) == 0) {
            if (!number(rest, UINT64_MAX, &value) || !trace_total_set(&state->totals, i, value))
                return assay_lines_fail(state->lines, err, "a total is '%total NAME NUMBER'");
            state->totals_given |= UINT64_C(1) << i;
            return 0;
        }
    return assay_lines_fail(state->lines, err, "there is no such total");
}

static int take_header(struct text_import *state, const char *key, char *value,
                       struct assay_error *err)
{
    uint64_t n;
    if (state->writer)
        return assay_lines_fail(state->lines, err, "the header must come before sites and events");
    if (strcmp(key, "has") == 0) {
        state->meta.meta.has = trace_has_parse(value);
        state->has_given = true;
        return 0;
    }
    if (strcmp(key, "time_unit_ns") == 0) {
        if (!number(value, UINT32_MAX, &n) || n == 0)
            return assay_lines_fail(state->lines, err, "time_unit_ns is a number above 0");
        state->meta.time_unit_ns = (uint32_t)n;
        return 0;
    }
    if (strcmp(key, "start_unix_ns") == 0) {
        if (!number(value, UINT64_MAX, &state->meta.meta.start_unix_ns))
            return assay_lines_fail(state->lines, err, "start_unix_ns is a number");
        return 0;
    }
    for (unsigned i = 0; i < TRACE_META_STRINGS; i++)
        if (strcmp(key, trace_meta_strings[i].key) == 0) {
            int code = assay_text_unescape(value) && strlen(value) <= TRACE_STRING_MAX
                           ? trace_meta_string_set(&state->meta, i, value, strlen(value))
                           : ASSAY_E_FORMAT;
            if (code == ASSAY_E_MEMORY)
                return assay_fail(err, code, "cannot import: out of memory");
            return code
                       ? assay_lines_fail(state->lines, err, "given twice, too long or not escaped")
                       : 0;
        }
    return assay_lines_fail(state->lines, err, "there is no such meta line");
}

static int take_meta(struct text_import *state, char *line, struct assay_error *err)
{
    static char nothing[1];
    char *rest = line + 1, *key = strsep(&rest, " ");
    if (strcmp(key, "assay-text") == 0)
        return rest && strcmp(rest, "1") == 0
                   ? 0
                   : assay_lines_fail(state->lines, err,
                                      "this version of the text form is not "
                                      "known");
    if (!rest)
        rest = nothing;
    if (strcmp(key, "site") == 0)
        return take_site(state, rest, err);
    if (strcmp(key, "total") == 0)
        return take_total(state, rest, err);
    return take_header(state, key, rest, err);
}

static int take_event(struct text_import *state, char *line, struct assay_error *err)
{
    struct assay_event event;
    struct assay_error inner = {0};
    int code = start(state, err);
    if (code)
        return code;
    if (assay_text_parse(line, &event, &inner) != 0)
        return assay_lines_fail(state->lines, err, inner.text);
    trace_totals_count(&state->counted, &event);
    return assay_trace_append(state->writer, &event, 1, err);
}

static int take_lines(struct text_import *state, struct assay_error *err)
{
    char *line;
    int code;
    while ((code = assay_lines_next(state->lines, &line, err)) > 0) {
        line += strspn(line, " \t");
        if (*line == '\0' || *line == '#')
            continue;
        code = *line == '%' ? take_meta(state, line, err) : take_event(state, line, err);
        if (code)
            return code;
    }
    if (code)
        return code;
    for (unsigned i = 0; i < TRACE_TOTALS; i++)
        if (!(state->totals_given >> i & 1))
            trace_total_set(&state->totals, i, trace_total_get(&state->counted, i));
    if (state->totals.events != state->counted.events)
        return assay_lines_fail(state->lines, err,
                                "the number of events is not the one in '%total events'");
    return start(state, err);
}

int assay_text_import(struct assay_import *import, struct assay_error *err)
{
    struct text_import state = {.import = import};
    int code = assay_lines_open(import->from, &state.lines, err);
    if (code)
        return code;
    code = take_lines(&state, err);
    if (!code) {
        import->events = state.counted.events;
        import->totals = state.totals;
        code = assay_trace_close(state.writer, &state.totals, err);
        state.writer = NULL;
        if (code)
            assay_trace_discard(import->to);
    }
    assay_trace_abandon(state.writer);
    assay_lines_close(state.lines);
    trace_meta_clear(&state.meta);
    return code;
}

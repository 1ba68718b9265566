/* assay show: what is in a trace: a summary, its events as text, or one JSON object. */
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "tools/around.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "traces/object_map.h"
#include "traces/text.h"
#include "traces/trace.h"

#define SIZE_CLASSES 66 /* 0, then [2^(i-1), 2^i) */

struct summary {
    uint64_t kinds[256];
    uint64_t sizes[SIZE_CLASSES];
    uint64_t births, failures, bytes, last_time;
    uint64_t live_bytes, peak_bytes, peak_objects;
    struct assay_object_map live;
    bool addresses; /* the stream has them */
};

/* ---- the pass over the events ---- */

static unsigned size_class(uint64_t bytes)
{
    return bytes ? 64 - (unsigned)__builtin_clzll(bytes) : 0;
}

static void end_object(struct summary *summary, uint32_t object)
{
    const struct assay_object_entry *entry = assay_object_map_get(&summary->live, object);
    if (!entry)
        return;
    summary->live_bytes -= entry->value;
    assay_object_map_remove(&summary->live, object);
}

static int begin_object(struct summary *summary, const struct assay_event *event)
{
    uint64_t bytes;
    assay_event_bytes(event, &bytes);
    summary->births++;
    summary->bytes += bytes;
    summary->sizes[size_class(bytes)]++;
    end_object(summary, event->born);
    int code = assay_object_map_put(&summary->live, event->born, bytes, 0);
    summary->live_bytes += bytes;
    if (summary->live_bytes > summary->peak_bytes)
        summary->peak_bytes = summary->live_bytes;
    if (summary->live.n > summary->peak_objects)
        summary->peak_objects = summary->live.n;
    return code;
}

static bool failed(const struct summary *summary, const struct assay_event *event)
{
    return event->born == 0 || (summary->addresses && event->flags & ASSAY_FLAG_EXECUTED &&
                                event->address == ASSAY_ADDRESS_NULL);
}

static int count_event(struct summary *summary, const struct assay_event *event)
{
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    summary->kinds[event->kind]++;
    if (event->time > summary->last_time)
        summary->last_time = event->time;
    if (event->flags & ASSAY_FLAG_BEGIN)
        return 0;
    if (op_class == ASSAY_CLASS_RELEASE)
        end_object(summary, event->object);
    if (!assay_event_bears(event))
        return 0;
    if (failed(summary, event)) {
        summary->failures += event->error != 0;
        return 0;
    }
    if (op_class == ASSAY_CLASS_RESIZE)
        end_object(summary, event->object);
    return begin_object(summary, event);
}

static int summarise(struct assay_trace_reader *reader, struct summary *summary, uint64_t head,
                     bool quiet, struct assay_error *err)
{
    enum { BATCH = 1024 };
    struct assay_event *events = malloc(BATCH * sizeof *events);
    struct assay_progress progress;
    uint64_t left = head ? head : UINT64_MAX, done = 0;
    long n = 0;
    int code = 0;
    if (!events)
        return assay_fail(err, ASSAY_E_MEMORY, "cannot show the trace: out of memory");
    assay_progress_begin(&progress, "show", "events", assay_trace_totals(reader)->events, 0, quiet);
    while (!code && left > 0 &&
           (n = assay_trace_read(reader, events, left < BATCH ? (size_t)left : BATCH, err)) > 0) {
        for (long i = 0; i < n && !code; i++)
            if (count_event(summary, &events[i]))
                code = assay_fail(err, ASSAY_E_MEMORY, "cannot show the trace: out of memory");
        left -= (uint64_t)n;
        done += (uint64_t)n;
        assay_progress_update(&progress, done, NULL);
    }
    assay_progress_end(&progress);
    free(events);
    return !code && n < 0 ? (int)n : code;
}

/* ---- the result as an object ---- */

static void set(json_t *object, const char *key, json_t *value)
{
    ASSAY_CHECK(value && json_object_set_new(object, key, value) == 0);
}

static void set_count(json_t *object, const char *key, uint64_t value)
{
    set(object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static json_t *has_names(uint64_t has)
{
    json_t *names = json_array();
    for (unsigned bit = 0; bit < ASSAY_HAS_COUNT; bit++)
        if (has >> bit & 1)
            json_array_append_new(names, json_string(assay_has_name(bit)));
    return names;
}

static json_t *kind_counts(const struct summary *summary)
{
    json_t *kinds = json_object();
    for (unsigned kind = 0; kind < 256; kind++) {
        char name[24];
        if (!summary->kinds[kind])
            continue;
        bool known = kind > 0 && kind < ASSAY_OP_COUNT;
        snprintf(name, sizeof name, "kind-%u", kind);
        set_count(kinds, known ? assay_op_info(kind)->name : name, summary->kinds[kind]);
    }
    return kinds;
}

static json_t *size_counts(const struct summary *summary)
{
    json_t *sizes = json_array();
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        if (!summary->sizes[i])
            continue;
        json_t *row = json_object();
        uint64_t from = i ? UINT64_C(1) << (i - 1) : 0;
        set_count(row, "from", from);
        set_count(row, "to", i ? from + (from - 1) : 0);
        set_count(row, "objects", summary->sizes[i]);
        json_array_append_new(sizes, row);
    }
    return sizes;
}

static json_t *column_counts(const struct assay_trace_reader *reader)
{
    json_t *columns = json_object();
    const char *name;
    for (unsigned i = 0;; i++) {
        uint64_t bytes = assay_trace_column_bytes(reader, i, &name);
        if (!name)
            return columns;
        if (bytes)
            set_count(columns, name, bytes);
    }
}

static json_t *describe(const char *path, const struct assay_trace_reader *reader,
                        const struct summary *summary, bool all)
{
    const struct assay_trace_meta *meta = assay_trace_meta(reader);
    const struct assay_trace_totals *totals = assay_trace_totals(reader);
    uint64_t bytes = assay_trace_file_bytes(reader);
    json_t *object = json_object();
    set(object, "file", assay_emit_string(path));
    set(object, "method", assay_emit_string(meta->method));
    set(object, "command", assay_emit_string(meta->command));
    set(object, "host", assay_emit_string(meta->host));
    set(object, "kernel", assay_emit_string(meta->kernel));
    set(object, "allocator", assay_emit_string(meta->allocator));
    set(object, "build_id", assay_emit_string(meta->build_id));
    set(object, "clock", assay_emit_string(meta->clock));
    set_count(object, "start_unix_ns", meta->start_unix_ns);
    set(object, "has", has_names(meta->has));
    set(object, "complete", json_boolean(assay_trace_complete(reader)));
    set_count(object, "events", totals->events);
    set_count(object, "processes", totals->processes);
    set_count(object, "threads", totals->threads);
    set_count(object, "objects", totals->objects);
    set_count(object, "duration_ns", summary->last_time);
    if (all || totals->fragment)
        set(object, "fragment", json_boolean(totals->fragment));
    set_count(object, "dropped", totals->dropped);
    if (all || totals->lost_blocks)
        set_count(object, "lost_blocks", totals->lost_blocks);
    set_count(object, "nested", totals->nested);
    set_count(object, "unknown_frees", totals->unknown_frees);
    set_count(object, "library_calls", totals->library_calls);
    set_count(object, "repaired", totals->repaired);
    set_count(object, "births", summary->births);
    set_count(object, "failed_allocations", summary->failures);
    set_count(object, "allocated_bytes", summary->bytes);
    set_count(object, "peak_live_bytes", summary->peak_bytes);
    set_count(object, "peak_live_objects", summary->peak_objects);
    set_count(object, "live_at_end_bytes", summary->live_bytes);
    set_count(object, "live_at_end_objects", summary->live.n);
    set_count(object, "file_bytes", bytes);
    set(object, "bytes_per_event",
        json_real(totals->events ? (double)bytes / (double)totals->events : 0));
    set_count(object, "time_unit_ns", assay_trace_time_unit_ns(reader));
    set(object, "kinds", kind_counts(summary));
    set(object, "sizes", size_counts(summary));
    set(object, "columns", column_counts(reader));
    return object;
}

/* ---- for people ---- */

/* A bar of up to width cells, in eighths of a cell where the terminal's characters allow. */
static void print_bar(FILE *out, uint64_t value, uint64_t most, unsigned width)
{
    static const char *const eighths[] = {"",       "\u258f", "\u258e", "\u258d",
                                          "\u258c", "\u258b", "\u258a", "\u2589"};
    bool blocks = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    uint64_t n = (uint64_t)((double)value / (double)most * width * 8 + 0.5);
    if (n == 0)
        n = 1;
    if (!blocks)
        n = (n + 7) / 8 * 8;
    for (; n >= 8; n -= 8)
        fputs(blocks ? "\u2588" : "#", out);
    fputs(eighths[n], out);
}

static void print_kinds(FILE *out, json_t *object)
{
    const char *name;
    json_t *count;
    fprintf(out, "\nevents by kind\n");
    json_object_foreach(json_object_get(object, "kinds"), name, count)
    {
        struct assay_human human;
        fprintf(out, "  %-20s %14s\n", name,
                assay_human_count(&human, (uint64_t)json_integer_value(count)));
    }
}

static void print_sizes(FILE *out, json_t *object)
{
    json_t *rows = json_object_get(object, "sizes"), *row;
    uint64_t most = 1;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        uint64_t n = (uint64_t)json_integer_value(json_object_get(row, "objects"));
        most = n > most ? n : most;
    }
    fprintf(out, "\nobjects by size requested\n");
    json_array_foreach(rows, i, row)
    {
        struct assay_human from, count;
        char range[64];
        uint64_t n = (uint64_t)json_integer_value(json_object_get(row, "objects"));
        uint64_t low = (uint64_t)json_integer_value(json_object_get(row, "from"));
        uint64_t high = (uint64_t)json_integer_value(json_object_get(row, "to"));
        if (high < 1024)
            snprintf(range, sizeof range, "%llu .. %llu", (unsigned long long)low,
                     (unsigned long long)high);
        else
            snprintf(range, sizeof range, "%s ..", assay_human_bytes(&from, low));
        fprintf(out, "  %-16s %12s  ", range, assay_human_count(&count, n));
        print_bar(out, n, most, 32);
        fputc('\n', out);
    }
}

static void print_columns(FILE *out, json_t *object)
{
    double events = (double)json_integer_value(json_object_get(object, "events"));
    const char *name;
    json_t *bytes;
    fprintf(out, "\nbytes by column                   per event\n");
    json_object_foreach(json_object_get(object, "columns"), name, bytes)
    {
        struct assay_human human;
        fprintf(out, "  %-20s %12s %8.3f\n", name,
                assay_human_bytes(&human, (uint64_t)json_integer_value(bytes)),
                events > 0 ? (double)json_integer_value(bytes) / events : 0);
    }
}

static const struct assay_emit_field fields[] = {
    {"method", "captured by", ASSAY_EMIT_PLAIN},
    {"command", "command", ASSAY_EMIT_PLAIN},
    {"host", "host", ASSAY_EMIT_PLAIN},
    {"kernel", "kernel", ASSAY_EMIT_PLAIN},
    {"allocator", "allocator", ASSAY_EMIT_PLAIN},
    {"build_id", "build id", ASSAY_EMIT_PLAIN},
    {"has", "has", ASSAY_EMIT_PLAIN},
    {"complete", "complete", ASSAY_EMIT_PLAIN},
    {"events", "events", ASSAY_EMIT_COUNT},
    {"processes", "processes", ASSAY_EMIT_COUNT},
    {"threads", "threads", ASSAY_EMIT_COUNT},
    {"duration_ns", "duration", ASSAY_EMIT_DURATION},
    {"fragment", "fragment", ASSAY_EMIT_PLAIN},
    {"dropped", "events lost", ASSAY_EMIT_COUNT},
    {"lost_blocks", "blocks lost", ASSAY_EMIT_COUNT},
    {"unknown_frees", "unknown frees", ASSAY_EMIT_COUNT},
    {"library_calls", "library's calls", ASSAY_EMIT_COUNT},
    {"repaired", "order repaired", ASSAY_EMIT_COUNT},
    {"births", "objects", ASSAY_EMIT_COUNT},
    {"failed_allocations", "failed", ASSAY_EMIT_COUNT},
    {"allocated_bytes", "allocated", ASSAY_EMIT_BYTES},
    {"peak_live_bytes", "peak live", ASSAY_EMIT_BYTES},
    {"peak_live_objects", "peak live objects", ASSAY_EMIT_COUNT},
    {"live_at_end_bytes", "live at end", ASSAY_EMIT_BYTES},
    {"live_at_end_objects", "live at end objects", ASSAY_EMIT_COUNT},
    {"file_bytes", "file", ASSAY_EMIT_BYTES},
    {"bytes_per_event", "bytes per event", ASSAY_EMIT_DECIMAL},
    {0},
};

/* ---- the command ---- */

struct options {
    struct assay_common common;
    const char *path;
    bool text, columns, at_given;
    uint64_t head, at;
    long process;
};

enum { KEY_TEXT = ASSAY_KEY_FIRST, KEY_HEAD, KEY_COLUMNS, KEY_AT, KEY_PROCESS };
enum { AROUND = 8 }; /* events before and behind --at */

static const struct argp_option option_table[] = {
    {"text", KEY_TEXT, NULL, 0, "print the events, one per line; 'assay import' reads them back",
     0},
    {"head", KEY_HEAD, "N", 0,
     "stop after the first N events; with --at: so many before and behind it (default 8)", 0},
    {"at", KEY_AT, "N", 0,
     "with --text: the events around op N, numbered as 'replay --subject recorded' counts them", 0},
    {"process", KEY_PROCESS, "N", 0, "with --at: of this process (default: the trace's first)", 0},
    {"columns", KEY_COLUMNS, NULL, 0, "say what each column costs", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
    case KEY_TEXT: options->text = true; return 0;
    case KEY_COLUMNS: options->columns = true; return 0;
    case KEY_HEAD: options->head = assay_option_number(state, "head", arg, 1, INT64_MAX); return 0;
    case KEY_AT:
        options->at = assay_option_number(state, "at", arg, 0, INT64_MAX);
        options->at_given = true;
        return 0;
    case KEY_PROCESS:
        options->process = (long)assay_option_number(state, "process", arg, 0, UINT16_MAX);
        return 0;
    case ARGP_KEY_ARG: return assay_option_single(state, &options->path, arg, "trace");
    case ARGP_KEY_END:
        if (!options->path)
            return assay_usage(state, "no trace given");
        if (options->text && options->common.emit.json)
            return assay_usage(state, "--text and --json exclude each other");
        if (options->at_given && !options->text)
            return assay_usage(state, "--at goes with --text");
        if (options->process >= 0 && !options->at_given)
            return assay_usage(state, "--process goes with --at");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int show_summary(struct options *options, struct assay_trace_reader *reader,
                        struct assay_error *err)
{
    struct summary *summary = calloc(1, sizeof *summary);
    if (!summary)
        return assay_fail(err, ASSAY_E_MEMORY, "cannot show the trace: out of memory");
    summary->addresses = assay_trace_meta(reader)->has & ASSAY_HAS_ADDRESS;
    int code = summarise(reader, summary, options->head, options->common.quiet, err);
    if (!code) {
        struct assay_emit *emit = &options->common.emit;
        json_t *object = describe(options->path, reader, summary, emit->json);
        FILE *out = assay_emit_text(emit);
        assay_emit_record(emit, "assay.show", fields, json_incref(object));
        if (!emit->json) {
            print_kinds(out, object);
            print_sizes(out, object);
            if (options->columns)
                print_columns(out, object);
        }
        json_decref(object);
    }
    assay_object_map_clear(&summary->live);
    free(summary);
    return code;
}

int assay_cmd_show(int argc, char **argv)
{
    static const struct argp argp = {option_table,
                                     parse,
                                     "FILE",
                                     "Shows what is in a trace file ('-' is standard input).\v"
                                     "Exit: 0, 2 usage, 3 could not read all of it, 130 "
                                     "interrupted.",
                                     assay_progress_children,
                                     NULL,
                                     NULL};
    struct options options = {.process = -1};
    struct assay_trace_reader *reader;
    struct assay_error err;
    setlocale(LC_CTYPE, "");
    assay_options_parse(&argp, argc, argv, 0, &options);
    if (options.at_given) {
        const struct assay_around around = {.path = options.path,
                                            .process = options.process,
                                            .at = options.at,
                                            .events = options.head ? options.head : AROUND};
        return assay_around_print(&around, stdout, &err) ? assay_report_error(&err)
                                                         : ASSAY_EXIT_CLEAN;
    }
    int code = assay_trace_open(options.path, &reader, &err);
    if (code)
        return assay_report_error(&err);
    if (options.text)
        code = assay_text_write(reader, stdout, options.head, &err);
    else
        code = show_summary(&options, reader, &err);
    if (!code && options.head == 0)
        code = assay_trace_check_rest(reader, &err);
    if (!code && !assay_trace_complete(reader))
        code = assay_fail(&err, ASSAY_E_TRUNCATED,
                          "'%s' is incomplete: it was cut off or damaged, or its capture did not "
                          "end; 'assay import %s -o NEW.trace' makes a whole one of what is there",
                          options.path, options.path);
    assay_trace_free(reader);
    return code ? assay_report_error(&err) : ASSAY_EXIT_CLEAN;
}

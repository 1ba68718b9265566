/* assay import: a trace file from another format. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/options.h"
#include "traces/core/printable.h"
#include "traces/format.h"

struct options {
    struct assay_common common;
    struct assay_import import;
    const struct assay_format *format;
};

enum { KEY_FORMAT = ASSAY_KEY_FIRST, KEY_NO_ADDRESSES, KEY_NO_CALLERS };

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "the trace file to write", 0},
    {"format", KEY_FORMAT, "NAME", 0, "the input's format; 'assay list formats' names them", 0},
    {"no-addresses", KEY_NO_ADDRESSES, NULL, 0, "leave the addresses out", 0},
    {"no-callers", KEY_NO_CALLERS, NULL, 0, "leave the callers out", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
    case 'o': options->import.to = arg; return 0;
    case KEY_FORMAT:
        options->format = assay_format_by_name(arg);
        if (!options->format || !options->format->import)
            return assay_usage(state, "--format: '%s' cannot be imported", arg);
        return 0;
    case KEY_NO_ADDRESSES: options->import.options.no_addresses = true; return 0;
    case KEY_NO_CALLERS: options->import.options.no_callers = true; return 0;
    case ARGP_KEY_ARG:
        if (options->import.from)
            return assay_usage(state, "one file at a time, '%s' is the second", arg);
        options->import.from = arg;
        return 0;
    case ARGP_KEY_END:
        if (!options->import.from)
            return assay_usage(state, "no file given");
        if (!options->import.to)
            return assay_usage(state, "no -o FILE given to write to");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static char partial[PATH_MAX];

static void on_interrupt(int number)
{
    (void)number;
    unlink(partial);
    _exit(assay_interrupt_end());
}

/* Nothing stays of an import that did not end. */
static void catch_interrupts(const char *output)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    char *target = NULL;
    if (assay_trace_target(output, &target, NULL) != 0)
        return;
    int n = snprintf(partial, sizeof partial, "%s.partial", target);
    free(target);
    if (n < 0 || n >= (int)sizeof partial)
        return;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int assay_cmd_import(int argc, char **argv)
{
    static const struct argp argp = {
        option_table,
        parse,
        "FILE -o FILE.trace",
        "Makes a trace file from another format, or a whole one from a trace file that was cut "
        "off.\v"
        "Exit: 0, 2 usage, 3 could not run, 130 interrupted.",
        assay_common_children,
        NULL,
        NULL};
    static const struct assay_emit_field fields[] = {
        {"file", "written", ASSAY_EMIT_PLAIN},
        {"format", "format", ASSAY_EMIT_PLAIN},
        {"events", "events", ASSAY_EMIT_COUNT},
        {0},
    };
    struct options options = {0};
    struct assay_error err = {0};
    struct assay_printable note;
    assay_options_parse(&argp, argc, argv, 0, &options);
    catch_interrupts(options.import.to);
    if (!options.format)
        options.format = assay_format_guess(options.import.from, &err);
    if (!options.format || options.format->import(&options.import, &err) != 0)
        return assay_report_error(&err);
    if (options.import.note[0])
        fprintf(stderr, "assay import: note: %s\n", assay_printable(&note, options.import.note));
    const struct assay_trace_totals *totals = &options.import.totals;
    json_t *object =
        json_pack("{s:o, s:s, s:I}", "file", assay_emit_string(options.import.to), "format",
                  options.format->name, "events", (json_int_t)options.import.events);
    json_object_set_new(object, "fragment", json_boolean(totals->fragment));
    json_object_set_new(object, "lost_blocks", json_integer((json_int_t)totals->lost_blocks));
    assay_emit_record(&options.common.emit, "assay.import", fields, object);
    return ASSAY_EXIT_CLEAN;
}

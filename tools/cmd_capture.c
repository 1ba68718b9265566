/* assay capture: run a command, write its allocation calls to a trace. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "traces/capture/capture.h"
#include "traces/core/printable.h"

enum { KEY_METHOD = ASSAY_KEY_FIRST, KEY_SCRUB, KEY_NO_ADDRESSES, KEY_NO_CALLERS, KEY_MAX_TIME };

enum method { METHOD_AUTO, METHOD_EBPF, METHOD_PRELOAD };
static const char *const methods[] = {"auto", "ebpf", "preload", NULL};

struct options {
    struct assay_common common;
    struct assay_capture_config config;
    int method;
    char default_output[256];
    struct assay_progress progress;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
    case 'o': options->config.output = arg; return 0;
    case KEY_METHOD: options->method = assay_option_choice(state, "method", arg, methods); return 0;
    case KEY_SCRUB: options->config.scrub = true; return 0;
    case KEY_NO_ADDRESSES: options->config.no_addresses = true; return 0;
    case KEY_NO_CALLERS: options->config.no_callers = true; return 0;
    case KEY_MAX_TIME:
        options->config.max_time_ns = assay_option_duration(state, "max-time", arg);
        return 0;
    case ARGP_KEY_ARGS: options->config.argv = state->argv + state->next; return 0;
    case ARGP_KEY_NO_ARGS: return assay_usage(state, "no command given");
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option table[] = {
    {"output", 'o', "FILE", 0, "write the trace to FILE (default: COMMAND's name with .trace)", 0},
    {"method", KEY_METHOD, "METHOD", 0,
     "auto (default: ebpf where it can be used, else preload), ebpf or preload", 0},
    {"scrub", KEY_SCRUB, NULL, 0, "leave command line, host name and module paths out", 0},
    {"no-addresses", KEY_NO_ADDRESSES, NULL, 0, "leave addresses out", 0},
    {"no-callers", KEY_NO_CALLERS, NULL, 0, "leave callers out", 0},
    {"max-time", KEY_MAX_TIME, "TIME", 0, "end the command after TIME (30s, 5m)", 0},
    {0}};

static const struct argp argp = {
    .options = table,
    .parser = parse,
    .args_doc = "COMMAND [ARG...]",
    .doc = "Runs COMMAND and writes every allocation call of its processes and threads to a trace "
           "file.\v"
           "Exit: 0 written, whatever the command's own status, 2 usage, 3 could not run, 130 "
           "interrupted.",
    .children = assay_progress_children};

static void on_progress(void *self, const struct assay_capture_progress *progress)
{
    struct options *options = self;
    struct assay_human bytes;
    char note[96];
    int n = snprintf(note, sizeof note, "%s%s", assay_human_bytes(&bytes, progress->bytes),
                     progress->ended ? ", writing" : "");
    if (progress->dropped)
        snprintf(note + n, sizeof note - (size_t)n, ", %llu dropped",
                 (unsigned long long)progress->dropped);
    assay_progress_update(&options->progress, progress->events, note);
}

/* auto: eBPF where it can serve; a failure before the command ran leaves preload to try. */
static int capture(const struct options *options, struct assay_capture_result *result, char *why,
                   size_t why_bytes, struct assay_error *err)
{
    struct assay_error refused;
    if (options->method == METHOD_PRELOAD) {
        snprintf(why, why_bytes, "asked for");
        return assay_capture_preload(&options->config, result, err);
    }
    if (options->method == METHOD_EBPF) {
        snprintf(why, why_bytes, "asked for");
        if (assay_capture_ebpf_available(&refused) < 0)
            return assay_fail(err, refused.code, "%.400s; --method preload needs neither",
                              refused.text);
        return assay_capture_ebpf(&options->config, result, err);
    }
    int rc = assay_capture_ebpf_available(&refused);
    if (rc == 0) {
        snprintf(why, why_bytes, "eBPF is available");
        rc = assay_capture_ebpf(&options->config, result, err);
        if (rc == 0 || result->started ||
            (rc != ASSAY_E_UNSUPPORTED && rc != ASSAY_E_PERMISSION && rc != ASSAY_E_SYSTEM))
            return rc;
        refused = *err;
    }
    snprintf(why, why_bytes, "no eBPF: %s", refused.text);
    return assay_capture_preload(&options->config, result, err);
}

static json_t *status_of(int status)
{
    return WIFEXITED(status) ? json_integer(WEXITSTATUS(status)) : json_null();
}

static void describe_status(int status, char *text, size_t bytes)
{
    if (WIFSIGNALED(status))
        snprintf(text, bytes, "killed by signal %d (%s)", WTERMSIG(status),
                 sigdescr_np(WTERMSIG(status)));
    else
        snprintf(text, bytes, "exit status %d", WEXITSTATUS(status));
}

static void report(struct options *options, const struct assay_capture_result *result,
                   const char *why)
{
    const struct assay_trace_totals *totals = &result->totals;
    char ended[96];
    struct assay_human human[5];
    struct assay_printable shown;
    describe_status(result->status, ended, sizeof ended);
    double per_event = totals->events ? (double)result->bytes / (double)totals->events : 0;
    if (options->common.emit.json) {
        json_t *object = json_pack(
            "{s:o s:s s:o s:s s:I s:I s:I s:I s:I s:I s:I s:I s:I s:f s:I s:o s:o s:b}", "output",
            assay_emit_string(options->config.output), "method", result->method, "why",
            assay_emit_string(why), "clock", result->clock, "events", (json_int_t)totals->events,
            "objects", (json_int_t)totals->objects, "threads", (json_int_t)totals->threads,
            "processes", (json_int_t)totals->processes, "dropped", (json_int_t)totals->dropped,
            "nested", (json_int_t)totals->nested, "unknown_frees",
            (json_int_t)totals->unknown_frees, "repaired", (json_int_t)totals->repaired, "bytes",
            (json_int_t)result->bytes, "bytes_per_event", per_event, "wall_ns",
            (json_int_t)result->wall_ns, "status", status_of(result->status), "signal",
            WIFSIGNALED(result->status) ? json_integer(WTERMSIG(result->status)) : json_null(),
            "complete", (int)!result->timed_out && !result->interrupted);
        json_t *notes = json_array();
        for (const char *line = result->notes; *line; line += strspn(line, "\n")) {
            char *note = strndup(line, strcspn(line, "\n"));
            ASSAY_CHECK(note);
            json_array_append_new(notes, assay_emit_string(note));
            line += strlen(note);
            free(note);
        }
        json_object_set_new(object, "notes", notes);
        assay_emit_object(&options->common.emit, "assay.capture", object);
    }
    /* The command owns standard output. */
    fprintf(stderr, "assay capture: method %s (%s)\n", result->method,
            assay_printable(&shown, why));
    fprintf(stderr, "assay capture: command: %s after %s%s\n", ended,
            assay_human_duration(&human[0], result->wall_ns),
            result->timed_out     ? " (ended by --max-time)"
            : result->interrupted ? " (interrupted)"
                                  : "");
    fprintf(stderr,
            "assay capture: '%s': %s, %s, %s, %s, %llu dropped, "
            "%s, %.2f bytes/event\n",
            assay_printable(&shown, options->config.output),
            assay_human_of(&human[0], totals->events, "event", "events"),
            assay_human_of(&human[1], totals->objects, "object", "objects"),
            assay_human_of(&human[2], totals->threads, "thread", "threads"),
            assay_human_of(&human[3], totals->processes, "process", "processes"),
            (unsigned long long)totals->dropped, assay_human_bytes(&human[4], result->bytes),
            per_event);
    for (const char *line = result->notes; *line; line += strspn(line, "\n")) {
        char *note = strndup(line, strcspn(line, "\n"));
        ASSAY_CHECK(note);
        fprintf(stderr, "assay capture: note: %s\n", assay_printable(&shown, note));
        line += strlen(note);
        free(note);
    }
    if (totals->dropped)
        fprintf(stderr, "assay capture: the trace is lossy: free disk or memory, then capture "
                        "again; replay refuses it without --allow-lossy\n");
    if (totals->unknown_frees)
        fprintf(stderr, "assay capture: %s never seen allocated\n",
                assay_human_of(&human[0], totals->unknown_frees, "free of a pointer",
                               "frees of pointers"));
    if (result->unfollowed)
        fprintf(stderr, "assay capture: %s not be followed\n",
                assay_human_of(&human[0], result->unfollowed, "process could", "processes could"));
}

/* With --json, standard output holds only JSON: what the command prints goes to standard error. */
static int lend_stderr(void)
{
    int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (kept >= 0)
        dup2(STDERR_FILENO, STDOUT_FILENO);
    return kept;
}

static void give_back(int kept)
{
    if (kept < 0)
        return;
    dup2(kept, STDOUT_FILENO);
    close(kept);
}

int assay_cmd_capture(int argc, char **argv)
{
    struct options options = {.config = {.stop = &assay_interrupted}};
    struct assay_capture_result result = {0};
    struct assay_error err = {0};
    char why[600];

    assay_options_parse(&argp, argc, argv, ARGP_IN_ORDER, &options);
    if (!options.config.output) {
        const char *slash = strrchr(options.config.argv[0], '/');
        snprintf(options.default_output, sizeof options.default_output, "%.240s.trace",
                 slash ? slash + 1 : options.config.argv[0]);
        options.config.output = options.default_output;
    }
    options.config.progress = on_progress;
    options.config.progress_self = &options;
    assay_catch_interrupts(false);
    assay_progress_begin(&options.progress, "capture", "events", 0, options.config.max_time_ns,
                         options.common.quiet);
    int stdout_kept = options.common.emit.json ? lend_stderr() : -1;
    int rc = capture(&options, &result, why, sizeof why, &err);
    give_back(stdout_kept);
    assay_progress_end(&options.progress);
    if (rc < 0)
        return assay_report_error(&err);
    /* a terminal interrupts the command as well, which may end first */
    result.interrupted |= assay_interrupted != 0;
    report(&options, &result, why);
    return result.interrupted ? ASSAY_EXIT_INTERRUPTED : ASSAY_EXIT_CLEAN;
}

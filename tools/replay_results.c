#include "tools/replay_results.h"

#include <stdlib.h>
#include <string.h>

#include "oracles/finding_report.h"
#include "tools/human.h"
#include "tools/interrupt.h"
#include "tools/shell.h"
#include "traces/core/printable.h"

const char *const assay_replay_orders[] = {"serial", "partial", NULL};
const char *const assay_replay_touches[] = {"none", "recorded", "page", "full", NULL};

/* The command line that does the same again; malloc'ed. */
static char *reproduce_line(const struct assay_replay_command *options)
{
    char *text = NULL, *words;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ASSAY_CHECK(out);
    words = assay_shell_line("assay", "replay", options->file, "--subject", options->subject, NULL);
    fputs(words, out);
    free(words);
    if (options->order == ASSAY_ORDER_PARTIAL)
        fprintf(out, " --order partial");
    if (options->touch != ASSAY_TOUCH_FULL)
        fprintf(out, " --touch %s", assay_replay_touches[options->touch]);
    if (options->content_full)
        fprintf(out, " --content full");
    if (options->process >= 0)
        fprintf(out, " --process %ld", options->process);
    if (options->allow_lossy)
        fprintf(out, " --allow-lossy");
    if (options->seed != 1)
        fprintf(out, " --seed %llu", (unsigned long long)options->seed);
    if (options->profile) {
        fputs(" --profile ", out);
        assay_shell_word(out, options->profile);
    }
    if (options->leaks)
        fputs(" --leaks", out);
    if (options->suppressions) {
        fputs(" --suppressions ", out);
        assay_shell_word(out, options->suppressions);
    }
    ASSAY_CHECK(fclose(out) == 0);
    return text;
}

/* The events around what the recording shows. */
static char *recorded_next(const struct assay_replay_command *options,
                           const struct assay_violation *violation)
{
    char at[24], process[24];
    snprintf(at, sizeof at, "%llu", (unsigned long long)violation->op_index);
    snprintf(process, sizeof process, "%u", violation->event.process);
    return assay_shell_line("assay", "show", options->file, "--text", "--at", at,
                            violation->event.process ? "--process" : NULL, process, NULL);
}

/* How to go on with what a replay shows. */
static char *next_line(const struct assay_replay_command *options,
                       const struct assay_violation *violation)
{
    const char *other = strcmp(options->subject, "glibc") == 0 ? "bulwark" : "glibc";
    char *text = NULL, *words;
    size_t size = 0;
    if (options->recorded)
        return recorded_next(options, violation);
    /* what shows between threads that run freely a serial program does not */
    if (options->order == ASSAY_ORDER_PARTIAL)
        return assay_shell_line("assay", "diff", options->file, "--a", options->subject, "--b",
                                other, options->allow_lossy ? "--allow-lossy" : NULL, NULL);
    FILE *out = open_memstream(&text, &size);
    ASSAY_CHECK(out);
    words = assay_shell_line("assay", "minimize", options->file, "--subject", options->subject,
                             "--property", assay_property_info(violation->property)->id, NULL);
    fputs(words, out);
    free(words);
    if (options->process >= 0 || violation->event.process)
        fprintf(out, " --process %ld",
                options->process >= 0 ? options->process : (long)violation->event.process);
    if (options->allow_lossy)
        fprintf(out, " --allow-lossy");
    if (options->seed > 1)
        fprintf(out, " --seed %llu", (unsigned long long)options->seed);
    if (options->profile) {
        fputs(" --profile ", out);
        assay_shell_word(out, options->profile);
    }
    ASSAY_CHECK(fclose(out) == 0);
    return text;
}

void assay_replay_tell_findings(const struct assay_replay_command *options, struct assay_emit *emit,
                                const struct assay_replay_result *result,
                                struct assay_output_run *run)
{
    struct assay_printable shown;
    char *reproduce = reproduce_line(options);
    for (size_t i = 0; i < assay_finding_set_count(result->findings); i++) {
        const struct assay_finding *finding = assay_finding_set_get(result->findings, i);
        json_t *object = assay_finding_json(&finding->violation, options->shown);
        ASSAY_CHECK(object);
        json_object_set_new(object, "count", json_integer((json_int_t)finding->count));
        if (finding->accepted)
            json_object_set_new(object, finding->suppressed ? "suppressed" : "accepted",
                                assay_emit_string(finding->accepted));
        json_object_set_new(object, "reproduce", json_string(reproduce));
        char *next = next_line(options, &finding->violation);
        json_object_set_new(object, "next", json_string(next));
        if (finding->circumstances)
            assay_finding_report_json(object, finding->circumstances);
        assay_output_add(run, json_incref(object), options->file);
        assay_emit_object(emit, "assay.finding", object);
        if (emit->json) {
            free(next);
            continue;
        }
        assay_finding_report_text(
            stdout, &(struct assay_finding_report){.violation = &finding->violation,
                                                   .subject = options->subject,
                                                   .circumstances = finding->circumstances});
        if (finding->count > 1)
            printf("seen %llu times\n", (unsigned long long)finding->count);
        if (finding->accepted)
            printf("%s: %s\n", finding->suppressed ? "suppressed" : "accepted by the profile",
                   assay_printable(&shown, finding->accepted));
        printf("reproduce: %s\nnext: %s\n\n", reproduce, next);
        free(next);
    }
    free(reproduce);
}

static const char *end_name(enum assay_replay_end end)
{
    static const char *const names[] = {"complete", "stopped", "died", "out of memory"};
    return end == ASSAY_REPLAY_STOPPED && assay_interrupted ? "interrupted" : names[end];
}

/* Events are those of the trace; what was re-created for forked processes stands apart. Where not
 * all of the trace was looked at, how much was. */
static void set_events(json_t *object, const struct assay_replay_command *options,
                       const struct assay_replay_result *result)
{
    uint64_t inherited = result->taken.inherited, own = result->events - inherited;
    bool part = result->end == ASSAY_REPLAY_COMPLETE || result->end == ASSAY_REPLAY_STOPPED;
    char text[128];
    struct assay_human a, b;
    if (options->common.emit.json || inherited == 0) {
        json_object_set_new(object, "events", json_integer((json_int_t)own));
    } else {
        snprintf(text, sizeof text, "%s (+%s inherited)", assay_human_count(&a, own),
                 assay_human_count(&b, inherited));
        json_object_set_new(object, "events", json_string(text));
    }
    json_object_set_new(object, "inherited", json_integer((json_int_t)inherited));
    json_object_set_new(object, "trace_events", json_integer((json_int_t)options->trace_events));
    json_object_set_new(object, "trace_events_done",
                        json_integer((json_int_t)result->taken.events));
    if (options->common.emit.json || !part || result->taken.events >= options->trace_events)
        return;
    snprintf(text, sizeof text, "only %s of the trace's %s events",
             assay_human_count(&a, result->taken.events),
             assay_human_count(&b, options->trace_events));
    json_object_set_new(object, "part", json_string(text));
}

/* What nobody looked at is not clean: for people the count says so. */
static void set_findings(json_t *object, const struct assay_replay_command *options,
                         const struct assay_replay_result *result)
{
    size_t findings = assay_finding_set_new(result->findings);
    uint64_t done = result->taken.events, all = options->trace_events;
    char text[160];
    struct assay_human a, b, c;
    if (options->common.emit.json || result->end != ASSAY_REPLAY_STOPPED || done >= all) {
        json_object_set_new(object, "findings", json_integer((json_int_t)findings));
        return;
    }
    snprintf(text, sizeof text, "%s, but only %s of the trace's %s events (%.0f %%) were %s%s",
             assay_human_count(&a, findings), assay_human_count(&b, done),
             assay_human_count(&c, all), 100 * (double)done / (double)all,
             options->recorded ? "judged" : "replayed",
             assay_interrupted ? "" : ": --max-time was over");
    json_object_set_new(object, "findings", json_string(text));
}

static bool judges_program(unsigned property)
{
    return assay_property_info(property)->severity == ASSAY_SEVERITY_PROGRAM;
}

/* program: rows that judge the program that made the calls belong to the list */
static json_t *ids(const struct assay_replay_result *result, bool judged, bool program)
{
    json_t *list = json_array();
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        if (result->judged[p] == judged && (program || !judges_program(p)))
            json_array_append_new(list, json_string(assay_property_info(p)->id));
    return list;
}

static json_t *evaluations(const struct assay_replay_result *result)
{
    json_t *object = json_object();
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        if (result->judged[p])
            json_object_set_new(object, assay_property_info(p)->id,
                                json_integer((json_int_t)result->evaluations[p]));
    return object;
}

static json_t *measured(double ns)
{
    return ns > 0 ? json_real((double)(long long)(ns * 100 + 0.5) / 100) : json_null();
}

void assay_replay_tell_leaks(struct assay_emit *emit, const struct assay_replay_source *source,
                             const struct assay_recorded_result *result)
{
    enum { SHOWN_MAX = 16 };
    static const struct assay_emit_field fields[] = {
        {"bytes", "bytes", ASSAY_EMIT_COUNT},
        {"objects", "objects", ASSAY_EMIT_COUNT},
        {"site", "never freed, allocated at", ASSAY_EMIT_PLAIN},
        {0},
    };
    json_t *rows = json_array();
    size_t most = emit->json ? SIZE_MAX : SHOWN_MAX;
    for (size_t i = 0; i < result->leak_count && i < most; i++) {
        const struct assay_leak *leak = &result->leaks[i];
        const struct assay_trace_site *site = assay_replay_site(source, leak->site);
        struct assay_printable shown;
        char text[sizeof shown.text + 32] = "an unknown place";
        if (site && !site->module)
            snprintf(text, sizeof text, "0x%llx", (unsigned long long)site->address);
        else if (site)
            snprintf(text, sizeof text, "%s+0x%llx", assay_printable(&shown, site->module),
                     (unsigned long long)site->offset);
        json_array_append_new(rows, json_pack("{s:I, s:I, s:o}", "bytes", (json_int_t)leak->bytes,
                                              "objects", (json_int_t)leak->objects, "site",
                                              assay_emit_string(text)));
    }
    if (json_array_size(rows) > 0)
        assay_emit_table(emit, "assay.replay.leak", fields, rows);
    else
        json_decref(rows);
    if (result->leak_count > most)
        printf("and %zu more places; --json lists them all\n", result->leak_count - most);
}

void assay_replay_tell_summary(const struct assay_replay_command *options, struct assay_emit *emit,
                               const struct assay_replay_result *result,
                               const struct assay_output_run *run, json_t *unused)
{
    static const struct assay_emit_field fields[] = {
        {"subject", "subject", ASSAY_EMIT_PLAIN},
        {"events", "events", ASSAY_EMIT_COUNT},
        {"end", "end", ASSAY_EMIT_PLAIN},
        {"part", "replayed", ASSAY_EMIT_PLAIN},
        {"processes", "process images", ASSAY_EMIT_COUNT},
        {"skipped", "skipped (missing API)", ASSAY_EMIT_COUNT},
        {"left_out", "left out", ASSAY_EMIT_COUNT},
        {"ns_per_event", "ns/event", ASSAY_EMIT_DECIMAL},
        {"bare_ns_per_event", "bare loop ns/event", ASSAY_EMIT_DECIMAL},
        {"overhead_ns", "overhead ns/event", ASSAY_EMIT_DECIMAL},
        {"peak_rss_bytes", "peak memory", ASSAY_EMIT_BYTES},
        {"frozen", "frozen randomness", ASSAY_EMIT_PLAIN},
        {"frozen_calls", "frozen system calls", ASSAY_EMIT_PLAIN},
        {"evaluations", "judged, times", ASSAY_EMIT_COUNT},
        {"not_judged", "not judged", ASSAY_EMIT_PLAIN},
        {"findings", "findings", ASSAY_EMIT_COUNT},
        {0},
    };
    static const struct assay_emit_field recorded_fields[] = {
        {"subject", "subject", ASSAY_EMIT_PLAIN},
        {"events", "events", ASSAY_EMIT_COUNT},
        {"end", "end", ASSAY_EMIT_PLAIN},
        {"part", "judged", ASSAY_EMIT_PLAIN},
        {"processes", "process images", ASSAY_EMIT_COUNT},
        {"evaluations", "judged, times", ASSAY_EMIT_COUNT},
        {"not_judged", "not judged", ASSAY_EMIT_PLAIN},
        {"findings", "findings", ASSAY_EMIT_COUNT},
        {0},
    };
    const struct assay_replay_left_out *out = &result->left_out;
    double overhead = result->ns_per_event > 0 && result->bare_ns_per_event > 0
                          ? result->ns_per_event - result->bare_ns_per_event
                          : 0;
    json_t *object = json_pack(
        "{s:o, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "subject",
        assay_emit_string(options->shown), "events", (json_int_t)0, "end", end_name(result->end),
        "processes", (json_int_t)result->images, "executed", (json_int_t)result->executed,
        "skipped", (json_int_t)result->skipped, "left_out",
        (json_int_t)(out->library + out->unknown + out->dead + out->refused + out->reserved),
        "library_calls", (json_int_t)result->library_calls, "order",
        assay_replay_orders[options->order], "touch", assay_replay_touches[options->touch]);
    ASSAY_CHECK(object);
    set_events(object, options, result);
    json_object_set_new(object, "ns_per_event", measured(result->ns_per_event));
    json_object_set_new(object, "bare_ns_per_event", measured(result->bare_ns_per_event));
    json_object_set_new(object, "overhead_ns",
                        overhead != 0 ? json_real((double)(long long)(overhead * 100) / 100)
                                      : json_null());
    json_object_set_new(object, "peak_rss_bytes", json_integer((json_int_t)result->peak_rss_bytes));
    json_object_set_new(object, "frozen", json_boolean(result->frozen));
    json_object_set_new(object, "frozen_calls", json_boolean(result->frozen_calls));
    json_object_set_new(object, "judged", ids(result, true, options->recorded));
    json_object_set_new(object, "not_judged", ids(result, false, options->recorded));
    json_object_set_new(object, "evaluations",
                        options->unchecked && !emit->json ? json_string("nothing (--unchecked)")
                                                          : evaluations(result));
    json_object_set_new(object, "unconfirmed", json_integer((json_int_t)result->unconfirmed));
    set_findings(object, options, result);
    size_t suppressed = assay_finding_set_suppressed(result->findings);
    json_object_set_new(
        object, "accepted",
        json_integer((json_int_t)(assay_finding_set_count(result->findings) -
                                  assay_finding_set_new(result->findings) - suppressed)));
    json_object_set_new(object, "suppressed", json_integer((json_int_t)suppressed));
    json_object_set_new(object, "crashes", assay_output_clusters(run));
    json_object_set_new(object, "unused_suppressions", unused);
    assay_emit_record(emit, "assay.replay", options->recorded ? recorded_fields : fields, object);
}

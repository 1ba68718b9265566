/* assay replay: a trace against a subject, judged. */
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "oracles/finding_report.h"
#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/named_subject.h"
#include "tools/options.h"
#include "tools/output/output.h"
#include "tools/progress.h"
#include "tools/recorded.h"
#include "tools/replay.h"
#include "tools/shell.h"
#include "traces/core/printable.h"

enum {
    KEY_ORDER = ASSAY_KEY_FIRST,
    KEY_TOUCH,
    KEY_PROFILE,
    KEY_PROCESS,
    KEY_LOSSY,
    KEY_CONTENT,
    KEY_UNCHECKED,
    KEY_TIME,
    KEY_MEMORY,
    KEY_SEED,
    KEY_LEAKS,
    KEY_SUPPRESSIONS
};

struct options {
    struct assay_common common;
    struct assay_output_options output;
    const char *file, *subject, *profile, *suppressions;
    const char *shown; /* the subject as JSON has it */
    enum assay_order order;
    enum assay_touch touch;
    bool touch_given, allow_lossy, content_full, unchecked, recorded, leaks;
    long process;
    uint64_t max_time_ns, memory_bytes, seed;
    uint64_t trace_events; /* of the processes that are replayed */
};

static const char *const orders[] = {"serial", "partial", NULL};
static const char *const touches[] = {"none", "recorded", "page", "full", NULL};
static const char *const contents[] = {"sampled", "full", NULL};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->common;
        state->child_inputs[1] = &options->output;
        return 0;
    case 's': options->subject = arg; return 0;
    case KEY_ORDER:
        options->order = (enum assay_order)assay_option_choice(state, "order", arg, orders);
        return 0;
    case KEY_TOUCH:
        options->touch = (enum assay_touch)assay_option_choice(state, "touch", arg, touches);
        options->touch_given = true;
        return 0;
    case KEY_PROFILE: options->profile = arg; return 0;
    case KEY_SUPPRESSIONS: options->suppressions = arg; return 0;
    case KEY_PROCESS:
        options->process = (long)assay_option_number(state, "process", arg, 0, UINT16_MAX);
        return 0;
    case KEY_LOSSY: options->allow_lossy = true; return 0;
    case KEY_CONTENT:
        options->content_full = assay_option_choice(state, "content", arg, contents) == 1;
        return 0;
    case KEY_UNCHECKED: options->unchecked = true; return 0;
    case KEY_LEAKS: options->leaks = true; return 0;
    case KEY_TIME: options->max_time_ns = assay_option_duration(state, "max-time", arg); return 0;
    case KEY_MEMORY: options->memory_bytes = assay_option_size(state, "memory", arg); return 0;
    case KEY_SEED: options->seed = assay_option_number(state, "seed", arg, 0, UINT64_MAX); return 0;
    case ARGP_KEY_ARG:
        if (options->file)
            return assay_usage(state, "one trace at a time, '%s' is the second", arg);
        options->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!options->file)
            return assay_usage(state, "no trace given");
        if (!options->subject)
            return assay_usage(state, "no --subject given");
        options->recorded = strcmp(options->subject, "recorded") == 0;
        if (options->leaks && !options->recorded)
            return assay_usage(state, "--leaks goes with --subject recorded");
        if (options->recorded && (options->unchecked || options->touch_given ||
                                  options->content_full || options->order != ASSAY_ORDER_SERIAL))
            return assay_usage(state, "--subject recorded runs nothing: no --order, --touch, "
                                      "--content or --unchecked");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"subject", 's', "S", 0,
     "bulwark, glibc, jemalloc, mimalloc, tcmalloc, scudo, a path, adapter:FILE.c, or recorded", 0},
    {"leaks", KEY_LEAKS, NULL, 0, "with --subject recorded: objects that were never freed", 0},
    {"order", KEY_ORDER, "ORDER", 0, "serial (default) or partial (threads run freely)", 0},
    {"touch", KEY_TOUCH, "WHAT", 0,
     "what the runner does with memory: none, recorded, page or full (default)", 0},
    {"content", KEY_CONTENT, "HOW", 0,
     "sampled (default) or full: verify every byte of large objects too", 0},
    {"profile", KEY_PROFILE, "FILE", 0,
     "what the subject promises, see assay-profile(5); default: the shipped one", 0},
    {"suppressions", KEY_SUPPRESSIONS, "FILE", 0, "findings that are known, each with its reason",
     0},
    {"process", KEY_PROCESS, "N", 0, "only this process of the trace", 0},
    {"allow-lossy", KEY_LOSSY, NULL, 0, "replay a trace that lost events", 0},
    {"unchecked", KEY_UNCHECKED, NULL, 0, "no judge, touch none: figures only", 0},
    {"max-time", KEY_TIME, "TIME", 0, "stop after this long", 0},
    {"memory", KEY_MEMORY, "SIZE", 0,
     "end a subject that uses more; default: half of the machine's", 0},
    {"seed", KEY_SEED, "N", 0, "of patterns and frozen randomness; default 1", 0},
    {0},
};

struct watch {
    struct assay_progress progress;
};

static bool on_progress(void *self, uint64_t events)
{
    struct watch *watch = self;
    assay_progress_update(&watch->progress, events, NULL);
    return !assay_interrupted;
}

/* The command line that does the same again; malloc'ed. */
static char *reproduce_line(const struct options *options)
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
        fprintf(out, " --touch %s", touches[options->touch]);
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
static char *recorded_next(const struct options *options, const struct assay_violation *violation)
{
    char at[24], process[24];
    snprintf(at, sizeof at, "%llu", (unsigned long long)violation->op_index);
    snprintf(process, sizeof process, "%u", violation->event.process);
    return assay_shell_line("assay", "show", options->file, "--text", "--at", at,
                            violation->event.process ? "--process" : NULL, process, NULL);
}

/* How to go on with what a replay shows. */
static char *next_line(const struct options *options, const struct assay_violation *violation)
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

static void print_findings(const struct options *options, struct assay_emit *emit,
                           const struct assay_replay_result *result, struct assay_output_run *run)
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
static void set_events(json_t *object, const struct options *options,
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

/* Where what was never freed had been allocated, most bytes first. */
static void print_leaks(struct assay_emit *emit, const struct assay_replay_source *source,
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

static void print_summary(const struct options *options, struct assay_emit *emit,
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
        "library_calls", (json_int_t)result->library_calls, "order", orders[options->order],
        "touch", touches[options->touch]);
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
    json_object_set_new(object, "findings",
                        json_integer((json_int_t)assay_finding_set_new(result->findings)));
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

static int exit_code(const struct options *options, const struct assay_replay_result *result)
{
    if (assay_interrupted) {
        return assay_interrupt_end();
    }
    if (assay_finding_set_new(result->findings) > 0)
        return ASSAY_EXIT_FINDINGS;
    const struct assay_session_status *last = &result->last;
    if (result->end == ASSAY_REPLAY_OUT_OF_MEMORY) {
        struct assay_human limit;
        assay_complain("'%s' used more than %s at op %llu; --memory sets another limit",
                       options->subject, assay_human_bytes(&limit, options->memory_bytes),
                       (unsigned long long)last->op_index);
        return ASSAY_EXIT_INCONCLUSIVE;
    }
    if (result->end == ASSAY_REPLAY_DIED && options->unchecked) {
        assay_complain("'%s' died at op %llu (signal %d); without --unchecked it is judged",
                       options->subject, (unsigned long long)last->op_index, last->signal);
        return ASSAY_EXIT_CANNOT_RUN;
    }
    if (result->unconfirmed == 0 && result->end == ASSAY_REPLAY_DIED) {
        assay_complain("'%s' died at op %llu, which is accepted: the rest was not judged",
                       options->subject, (unsigned long long)last->op_index);
        return ASSAY_EXIT_INCONCLUSIVE;
    }
    if (result->unconfirmed > 0) {
        assay_complain("a suspicion about '%s' did not repeat in a fresh child", options->subject);
        return ASSAY_EXIT_INCONCLUSIVE;
    }
    return ASSAY_EXIT_CLEAN;
}

static uint64_t half_of_memory(void)
{
    struct sysinfo info;
    return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit / 2 : 0;
}

static int replay(struct options *options, struct assay_suppressions *suppressions,
                  struct assay_replay_result *result, struct assay_error *err)
{
    struct assay_replay_source *source = NULL;
    struct assay_subject_spec subject;
    struct assay_replay_options how = {.subject = &subject,
                                       .order = options->order,
                                       .touch = options->touch,
                                       .suppressions = suppressions,
                                       .subject_name = options->subject,
                                       .content_full = options->content_full,
                                       .unchecked = options->unchecked,
                                       .measure_bare = options->order == ASSAY_ORDER_SERIAL,
                                       .seed = options->seed,
                                       .memory_bytes = options->memory_bytes,
                                       .max_time_ns = options->max_time_ns,
                                       .progress = on_progress};
    int code = assay_named_subject(options->subject, options->profile, &subject, &how.profile, err);
    if (code < 0 || (code = assay_replay_open(options->file, options->allow_lossy, options->process,
                                              &source, err)) < 0)
        return code;
    if (how.touch == ASSAY_TOUCH_RECORDED && !assay_replay_has_access(source))
        how.touch = options->touch = ASSAY_TOUCH_PAGE;
    struct watch watch;
    how.progress_self = &watch;
    options->trace_events = assay_replay_events(source);
    assay_progress_begin(&watch.progress, "replay", "events", assay_replay_events(source), 0,
                         options->common.quiet);
    code = assay_replay_run(source, &how, result, err);
    assay_progress_end(&watch.progress);
    assay_replay_close(source);
    return code;
}

/* The shipped profile of the allocator that served the trace. */
static int profile_of_trace(const struct assay_trace_meta *meta, struct assay_profile *ret_profile,
                            struct assay_error *err)
{
    const char *allocator = meta->allocator ? meta->allocator : "";
    return assay_profile_find(strstr(allocator, "/libc.so") ? "glibc" : allocator, ret_profile,
                              err);
}

/* The subject 'recorded'. Prints what was found as well. */
static int replay_recorded(struct options *options, struct assay_suppressions *suppressions,
                           struct assay_replay_result *result, struct assay_error *err)
{
    struct assay_replay_source *source = NULL;
    struct assay_replay_options how = {.suppressions = suppressions,
                                       .subject_name = options->subject,
                                       .max_time_ns = options->max_time_ns,
                                       .progress = on_progress};
    struct assay_recorded_result recorded = {0};
    struct watch watch;
    int code =
        assay_replay_open(options->file, options->allow_lossy, options->process, &source, err);
    if (code < 0)
        return code;
    code = options->profile ? assay_profile_load(options->profile, &how.profile, err)
                            : profile_of_trace(assay_replay_meta(source), &how.profile, err);
    if (code == 0) {
        struct assay_emit emit = options->common.emit;
        how.progress_self = &watch;
        options->trace_events = assay_replay_events(source);
        assay_progress_begin(&watch.progress, "judge", "events", assay_replay_events(source), 0,
                             options->common.quiet);
        code = assay_recorded_run(source, &how, options->leaks, &recorded, err);
        assay_progress_end(&watch.progress);
        if (code == 0)
            print_leaks(&emit, source, &recorded);
        if (code == 0 && options->leaks && assay_replay_lossy(source))
            assay_complain("leaks are not judged: what is missing in '%s' may have freed them",
                           options->file);
        if (code == 0 && assay_replay_has_gaps(source))
            assay_complain("only what stands before the first damaged block of '%s' is judged",
                           options->file);
    }
    *result = recorded.replay;
    free(recorded.leaks);
    assay_replay_close(source);
    return code;
}

/* Prints and writes all there is to tell. Returns the exit code, or ASSAY_E_*. */
static int conclude(struct options *options, const struct assay_suppressions *suppressions,
                    const struct assay_replay_result *result, struct assay_output_run *run,
                    struct assay_error *err)
{
    struct assay_emit *emit = &options->common.emit;
    run->missing_apis = result->missing_apis;
    memcpy(run->judged, result->judged, sizeof run->judged);
    memcpy(run->evaluations, result->evaluations, sizeof run->evaluations);
    print_findings(options, emit, result, run);
    if (!emit->json)
        assay_output_print_clusters(stdout, run);
    print_summary(options, emit, result, run,
                  assay_output_unused(suppressions, options->suppressions));
    run->exit_code = exit_code(options, result);
    int code = assay_output_write(&options->output, run, err);
    return code < 0 ? code : run->exit_code;
}

int assay_cmd_replay(int argc, char **argv)
{
    static const struct argp argp = {
        option_table,
        parse,
        "FILE",
        "Replays a trace against a subject in a child process and judges every answer.\v"
        "A suspicion is run again in a fresh child; only what repeats there is a finding.\n\n"
        "Exit: 0 clean, 1 findings, 2 usage, 3 could not run, 4 inconclusive, 130 interrupted.",
        assay_output_progress_children,
        NULL,
        NULL};
    struct options options = {.touch = ASSAY_TOUCH_FULL, .process = -1, .seed = 1};
    static char absolute[PATH_MAX];
    struct assay_replay_result result = {0};
    struct assay_suppressions *suppressions = NULL;
    struct assay_output_run run;
    struct assay_error err = {0};
    assay_options_parse(&argp, argc, argv, 0, &options);
    options.shown = assay_subject_anywhere(options.subject, absolute);
    if (options.unchecked && !options.touch_given)
        options.touch = ASSAY_TOUCH_NONE;
    if (options.memory_bytes == 0)
        options.memory_bytes = half_of_memory();
    assay_catch_interrupts(true);
    assay_output_begin(&run, "replay", argc, argv);
    run.subject = options.shown;
    int code = assay_output_ready(&options.output, &err);
    if (code == 0 && options.suppressions)
        code = assay_suppressions_load(options.suppressions, &suppressions, &err);
    if (code == 0)
        code = options.recorded ? replay_recorded(&options, suppressions, &result, &err)
                                : replay(&options, suppressions, &result, &err);
    if (code == 0)
        code = conclude(&options, suppressions, &result, &run, &err);
    assay_replay_result_free(&result);
    assay_output_free(&run);
    assay_suppressions_free(suppressions);
    return code < 0 ? assay_report_error(&err) : code;
}

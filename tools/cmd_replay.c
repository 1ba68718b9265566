/* assay replay: a trace against a subject, judged. */
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/named_subject.h"
#include "tools/progress.h"
#include "tools/replay_results.h"

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

static const char *const contents[] = {"sampled", "full", NULL};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct assay_replay_command *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: return assay_output_inputs(state, &options->common, &options->output);
    case 's': options->subject = arg; return 0;
    case KEY_ORDER:
        options->order =
            (enum assay_order)assay_option_choice(state, "order", arg, assay_replay_orders);
        return 0;
    case KEY_TOUCH:
        options->touch =
            (enum assay_touch)assay_option_choice(state, "touch", arg, assay_replay_touches);
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
    case ARGP_KEY_ARG: return assay_option_single(state, &options->file, arg, "trace");
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

/* The reason goes to people and to the files of the run. */
static int inconclusive(struct assay_output_run *run, const char *why)
{
    assay_complain("%s", why);
    assay_output_doubt(run, ASSAY_PROPERTY_NONE, why);
    return ASSAY_EXIT_INCONCLUSIVE;
}

static int exit_code(const struct assay_replay_command *options,
                     const struct assay_replay_result *result, struct assay_output_run *run)
{
    char why[PATH_MAX + 128];
    if (assay_interrupted) {
        return assay_interrupt_end();
    }
    if (assay_finding_set_new(result->findings) > 0)
        return ASSAY_EXIT_FINDINGS;
    const struct assay_session_status *last = &result->last;
    if (result->end == ASSAY_REPLAY_OUT_OF_MEMORY) {
        struct assay_human limit;
        snprintf(why, sizeof why,
                 "'%.*s' used more than %s at op %llu; --memory sets another limit", PATH_MAX,
                 options->subject, assay_human_bytes(&limit, options->memory_bytes),
                 (unsigned long long)last->op_index);
        return inconclusive(run, why);
    }
    if (result->end == ASSAY_REPLAY_DIED && options->unchecked) {
        assay_complain("'%s' died at op %llu (signal %d); without --unchecked it is judged",
                       options->subject, (unsigned long long)last->op_index, last->signal);
        return ASSAY_EXIT_CANNOT_RUN;
    }
    if (result->unconfirmed == 0 && result->end == ASSAY_REPLAY_DIED) {
        snprintf(why, sizeof why,
                 "'%.*s' died at op %llu, which is accepted: the rest was not judged", PATH_MAX,
                 options->subject, (unsigned long long)last->op_index);
        return inconclusive(run, why);
    }
    if (result->unconfirmed > 0) {
        snprintf(why, sizeof why, "a suspicion about '%.*s' did not repeat in a fresh child",
                 PATH_MAX, options->subject);
        return inconclusive(run, why);
    }
    return ASSAY_EXIT_CLEAN;
}

static uint64_t half_of_memory(void)
{
    struct sysinfo info;
    return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit / 2 : 0;
}

static int replay(struct assay_replay_command *options, struct assay_suppressions *suppressions,
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
static int replay_recorded(struct assay_replay_command *options,
                           struct assay_suppressions *suppressions,
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
            assay_replay_tell_leaks(&emit, source, &recorded);
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
static int conclude(struct assay_replay_command *options,
                    const struct assay_suppressions *suppressions,
                    const struct assay_replay_result *result, struct assay_output_run *run,
                    struct assay_error *err)
{
    struct assay_emit *emit = &options->common.emit;
    run->missing_apis = result->missing_apis;
    memcpy(run->judged, result->judged, sizeof run->judged);
    memcpy(run->evaluations, result->evaluations, sizeof run->evaluations);
    assay_replay_tell_findings(options, emit, result, run);
    if (!emit->json)
        assay_output_print_clusters(stdout, run);
    assay_replay_tell_summary(options, emit, result, run,
                              assay_output_unused(suppressions, options->suppressions));
    run->exit_code = exit_code(options, result, run);
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
    struct assay_replay_command options = {.touch = ASSAY_TOUCH_FULL, .process = -1, .seed = 1};
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
    int code = assay_output_ready(&options.output, NULL, &err);
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

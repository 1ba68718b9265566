/* assay minimize: the smallest program that still shows the finding. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/finding_dir.h"
#include "tools/interrupt.h"
#include "tools/named_subject.h"
#include "tools/options.h"
#include "tools/output/output.h"
#include "tools/progress.h"
#include "tools/replay_source.h"
#include "tools/shell.h"
#include "tools/shrink.h"
#include "tools/whole_file.h"
#include "traces/core/clock.h"
#include "traces/core/printable.h"

enum { KEY_PROPERTY = ASSAY_KEY_FIRST, KEY_PROFILE, KEY_PROCESS, KEY_LOSSY, KEY_TIME, KEY_SEED };
enum { MAX_OPS = 1 << 22, LEAST_OBJECTS = 65536, TRIES = 16, HANG_MS = 2000 };

struct options {
    struct assay_common common;
    struct assay_output_options output;
    const char *path, *subject, *profile, *out;
    unsigned property;
    bool allow_lossy;
    long process;
    uint64_t max_time_ns, seed;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: return assay_output_inputs(state, &options->common, &options->output);
    case 's': options->subject = arg; return 0;
    case 'o': options->out = arg; return 0;
    case KEY_PROPERTY:
        options->property = assay_property_by_id(arg);
        if (options->property == 0)
            return assay_usage(state, "--property: no property '%s'; 'assay list properties'", arg);
        return 0;
    case KEY_PROFILE: options->profile = arg; return 0;
    case KEY_PROCESS:
        options->process = (long)assay_option_number(state, "process", arg, 0, UINT16_MAX);
        return 0;
    case KEY_LOSSY: options->allow_lossy = true; return 0;
    case KEY_TIME: options->max_time_ns = assay_option_duration(state, "max-time", arg); return 0;
    case KEY_SEED: options->seed = assay_option_number(state, "seed", arg, 1, UINT64_MAX); return 0;
    case ARGP_KEY_ARG: return assay_option_single(state, &options->path, arg, "finding or trace");
    case ARGP_KEY_END:
        if (!options->path)
            return assay_usage(state, "no finding and no trace given");
        return assay_option_not_recorded(state, "subject", options->subject);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option table[] = {
    {"subject", 's', "S", 0, "the subject; default: a finding's own", 0},
    {"out", 'o', "DIR", 0, "the finding's folder is made in it (default: assay-minimize-SUBJECT)",
     0},
    {"property", KEY_PROPERTY, "ID", 0,
     "what is to show: the first violation of this property; default: the finding's, or the first "
     "of all",
     0},
    {"profile", KEY_PROFILE, "FILE", 0,
     "what the subject promises, see assay-profile(5); default: as when found", 0},
    {"process", KEY_PROCESS, "N", 0, "only this process of a trace", 0},
    {"allow-lossy", KEY_LOSSY, NULL, 0, "take a trace that lost events", 0},
    {"max-time", KEY_TIME, "TIME", 0, "stop after this long with what there is (default 60s)", 0},
    {"seed", KEY_SEED, "N", 0,
     "of patterns and frozen randomness, if the finding does not show with 1", 0},
    {0}};

static const struct argp argp = {
    .options = table,
    .parser = parse,
    .args_doc = "PATH",
    .doc = "Makes the program of a finding's folder, or of a trace, as small as it goes with the "
           "finding still shown, and writes a finding's folder.\v"
           "Exit: 0 no finding shows, 1 it shows and is written, 2 usage, 3 could not run, 130 "
           "interrupted.",
    .children = assay_output_progress_children};

/* What is minimised. */
struct work {
    const struct options *options;
    struct assay_subject_spec spec;
    struct assay_profile profile;
    struct assay_finding_dir from; /* .ops: the program; of a trace little else */
    bool from_trace;
    const char *subject, *profile_path;
    struct assay_trial_config trial;
    struct assay_trial_result result;
    struct assay_shrunk shrunk;
    uint64_t start_ns;
    size_t ops_before, repeats_before;
    char out[PATH_MAX], path[PATH_MAX]; /* --out, and the finding's folder in it */
    bool made;                          /* out, by us */
};

/* ---- what is given -------------------------------------------------------------------------- */

static int read_image(struct assay_replay_source *source, size_t image,
                      struct assay_finding_dir *dir, struct assay_error *err)
{
    enum { BATCH = 4096 };
    dir->count = 0;
    dir->objects = assay_replay_max_object(source);
    int code = assay_replay_begin(source, image, err);
    for (long n = 1; code == 0 && n > 0; dir->count += n > 0 ? (size_t)n : 0) {
        struct assay_event *grown = realloc(dir->ops, (dir->count + BATCH) * sizeof *dir->ops);
        if (!grown)
            return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
        dir->ops = grown;
        if (dir->count > MAX_OPS)
            return assay_fail(err, ASSAY_E_LIMIT, "a program of more than %d ops is not minimised",
                              MAX_OPS);
        n = assay_replay_next(source, dir->ops + dir->count, BATCH, err);
        code = n < 0 ? (int)n : 0;
    }
    for (size_t i = 0; i < dir->count; i++) {
        struct assay_event *op = &dir->ops[i];
        op->flags &= ASSAY_FLAG_MISUSE;
        op->site = 0;
        op->time = op->address = 0;
        op->usable_extra = 0;
        op->error = op->signal = op->checked = op->failed = 0;
        op->wrong_at = 0;
    }
    return code;
}

/* Runs it in fresh children until it shows the finding. False: it did not, or *ret_code < 0. */
static bool shows(struct work *work, int *ret_code, struct assay_error *err)
{
    struct assay_trial *trial;
    bool found = false;
    *ret_code = assay_trial_create(&work->trial, &trial, err);
    for (unsigned i = 0; i < TRIES && *ret_code == 0 && !found && !assay_interrupted; i++) {
        *ret_code =
            assay_trial_run(trial, work->from.ops, work->from.count, true, &work->result, err);
        found = *ret_code == 0 && work->result.violated &&
                (work->from_trace || work->options->property ||
                 assay_finding_dir_shows(&work->from, &work->result.first));
    }
    if (*ret_code == 0)
        assay_trial_free(trial);
    return found;
}

static void configure(struct work *work)
{
    uint64_t seed = work->from.trial_seed ? work->from.trial_seed : ASSAY_TRIAL_SEED;
    work->trial = (struct assay_trial_config){
        .subject = &work->spec,
        .profile = &work->profile,
        .seed = seed,
        .max_objects = work->from.objects < LEAST_OBJECTS ? LEAST_OBJECTS : work->from.objects,
        .hang_ms = HANG_MS,
        .environment = work->from.environment,
        .property = work->options->property};
    if (work->from.sought && work->trial.property == 0)
        work->trial.property = assay_property_by_id(work->from.property);
}

/* With the finding's seed, else with the one that is given. */
static bool shows_with_a_seed(struct work *work, int *ret_code, struct assay_error *err)
{
    configure(work);
    if (shows(work, ret_code, err) || *ret_code < 0)
        return *ret_code == 0;
    if (!work->options->seed)
        return false;
    work->trial.seed = work->options->seed;
    return shows(work, ret_code, err);
}

/* The first of the trace's images that shows a finding. */
static bool take_trace(struct work *work, int *ret_code, struct assay_error *err)
{
    const struct options *options = work->options;
    struct assay_replay_source *source;
    const struct assay_replay_image *images;
    bool found = false;
    *ret_code =
        assay_replay_open(options->path, options->allow_lossy, options->process, &source, err);
    if (*ret_code < 0)
        return false;
    size_t n = assay_replay_images(source, &images);
    for (size_t i = 0; i < n && *ret_code == 0 && !found && !assay_interrupted; i++) {
        *ret_code = read_image(source, i, &work->from, err);
        if (*ret_code == 0)
            found = shows_with_a_seed(work, ret_code, err);
    }
    snprintf(work->from.guidance, sizeof work->from.guidance, "none");
    work->from.seed = work->trial.seed;
    assay_replay_close(source);
    return found;
}

static int find_subject(struct work *work, char absolute[PATH_MAX], struct assay_error *err)
{
    const struct options *options = work->options;
    const char *subject = options->subject ? options->subject : work->from.subject;
    work->profile_path = options->profile                                  ? options->profile
                         : work->from.profile_path[0] && !options->subject ? work->from.profile_path
                                                                           : NULL;
    work->subject = assay_subject_anywhere(subject, absolute);
    if (!assay_emit_is_utf8(work->subject) || (options->out && !assay_emit_is_utf8(options->out)))
        return assay_fail(err, ASSAY_E_USAGE, "--%s: the name is not UTF-8",
                          assay_emit_is_utf8(work->subject) ? "out" : "subject");
    int code = assay_named_subject(subject, work->profile_path, &work->spec, &work->profile, err);
    return code < 0 ? code : assay_subject_probe(&work->spec, err);
}

/* ---- minimising and writing ----------------------------------------------------------------- */

struct watch {
    struct assay_progress progress;
    size_t before;
};

static void on_progress(void *self, size_t ops, uint64_t trials)
{
    struct watch *watch = self;
    struct assay_human a, b;
    char note[128];
    snprintf(note, sizeof note, "%s -> %s", assay_human_of(&a, watch->before, "op", "ops"),
             assay_human_of(&b, ops, "op", "ops"));
    assay_progress_update(&watch->progress, trials, note);
}

static int shrink(struct work *work, struct assay_error *err)
{
    struct watch watch = {.before = work->ops_before};
    uint64_t end_ns = work->start_ns + work->options->max_time_ns;
    const struct assay_shrink how = {.trial = work->trial,
                                     .deadline_ns = end_ns,
                                     .latest_ns = end_ns,
                                     .interrupted = &assay_interrupted,
                                     .self = &watch,
                                     .progress = on_progress};
    assay_progress_begin(&watch.progress, "minimize", "trials", 0, work->options->max_time_ns,
                         work->options->common.quiet);
    int code =
        assay_shrink(&how, work->from.ops, &work->from.count, &work->result, &work->shrunk, err);
    assay_progress_end(&watch.progress);
    return code;
}

/* True if something else shows before it: then it has to be looked for by its property. */
static bool hides(struct work *work)
{
    struct assay_trial_config all = work->trial;
    struct assay_trial_result first;
    struct assay_trial *trial;
    char own[ASSAY_FINGERPRINT_BYTES], other[ASSAY_FINGERPRINT_BYTES];
    bool hidden = false;
    all.property = 0;
    all.environment = work->shrunk.environment;
    if (work->trial.property == 0 || assay_trial_create(&all, &trial, NULL) < 0)
        return false;
    if (assay_trial_run(trial, work->from.ops, work->from.count, true, &first, NULL) == 0 &&
        first.violated) {
        assay_finding_fingerprint(&work->result.first, own);
        assay_finding_fingerprint(&first.first, other);
        hidden = strcmp(own, other) != 0;
    }
    assay_trial_free(trial);
    return hidden;
}

/* Before the work: what cannot be written is known then. */
static int make_folder(struct work *work, struct assay_error *err)
{
    char name[96];
    const char *out = work->options->out;
    if (!out) {
        snprintf(name, sizeof name, "assay-minimize-%s", work->spec.name);
        out = name;
    }
    int code = assay_make_folder(out, err);
    if (code < 0)
        return code;
    work->made = code > 0;
    if (!realpath(out, work->out))
        return assay_fail_errno(err, "cannot find '%s'", out);
    if (strlen(work->out) > PATH_MAX - 64)
        return assay_fail(err, ASSAY_E_USAGE, "the name of the output folder is too long");
    if (access(work->out, W_OK | X_OK) != 0)
        return assay_fail_errno(err, "cannot write into '%s'", work->out);
    return 0;
}

static int write_finding(struct work *work, struct assay_error *err)
{
    const struct assay_finding_dir *from = &work->from;
    const struct assay_finding_record record = {
        .violation = work->result.first,
        .ops = from->ops,
        .count = from->count,
        .spec = &work->spec,
        .subject = work->subject,
        .profile_path = work->profile_path,
        .seed = from->seed,
        .program = from->program,
        .history = from->history,
        .ops_found = from->ops_found > work->ops_before ? from->ops_found : work->ops_before,
        .repeats_found = from->ops_found > work->ops_before ? 0 : work->repeats_before,
        .hits = work->shrunk.hits,
        .trials = work->shrunk.trials,
        .minimised = work->shrunk.minimised,
        .why_whole = work->shrunk.why_whole,
        .floor = work->shrunk.floor,
        .said = work->result.said,
        .guidance = from->guidance,
        .max_threads = work->profile.max_threads,
        .usable_writable = work->profile.usable_writable == ASSAY_ANSWER_YES,
        .environment = work->shrunk.environment,
        .trial_seed = work->trial.seed,
        .sought = hides(work),
        .directed = from->directed[0] ? from->directed : NULL,
        .circumstances = &work->result.circumstances};
    return assay_finding_dir_write(work->out, &record, work->path, err);
}

/* ---- telling -------------------------------------------------------------------------------- */

static void tell(struct work *work, struct assay_output_run *run)
{
    const struct options *options = work->options;
    struct assay_emit emit = options->common.emit;
    FILE *text = assay_emit_text(&emit);
    char file[PATH_MAX + 16], line[512];
    struct assay_printable shown;
    struct assay_human a, b, c, d;
    double seconds = (double)(assay_now_ns() - work->start_ns) / 1e9;
    snprintf(file, sizeof file, "%s/finding.json", work->path);
    json_t *finding = json_load_file(file, 0, NULL);
    ASSAY_CHECK(json_is_object(finding));
    const char *why =
        work->shrunk.why_whole ? work->shrunk.why_whole : "there was no time for more";
    fprintf(text, "%s -> %s in %.1f s: %s%s, %s (%s/s)\n",
            assay_human_ops(&a, work->ops_before, work->repeats_before),
            assay_human_ops(&b, work->from.count,
                            assay_finding_dir_repeats(work->from.ops, work->from.count)),
            seconds, work->shrunk.minimised ? "1-minimal" : "not fully minimised: ",
            work->shrunk.minimised ? "" : why,
            assay_human_of(&c, work->shrunk.runs, "trial", "trials"),
            assay_human_rate(&d, (double)work->shrunk.runs / seconds));
    assay_finding_line(line, sizeof line, &work->result.first);
    fprintf(text, "%s\n", line);
    if (work->shrunk.random)
        fprintf(text, "it shows in some processes only: in %u of %u\n", work->shrunk.hits,
                work->shrunk.trials);
    if (work->shrunk.floor > 0)
        fprintf(text, "a step was taken where it showed in %.0f %% or more\n",
                100 * work->shrunk.floor);
    fprintf(text, "written: '%s'\nreproduce: %s\nnext: %s\n", assay_printable(&shown, work->path),
            json_string_value(json_object_get(finding, "reproduce")),
            json_string_value(json_object_get(finding, "next")));
    snprintf(file, sizeof file, "%s/reproducer.c", work->path);
    assay_output_add(run, json_deep_copy(finding), file);
    assay_emit_object(&emit, "assay.finding", finding);
    assay_emit_object(&emit, "assay.minimize",
                      json_pack("{s:o, s:s, s:b, s:I, s:I, s:b, s:b, s:i, s:i, s:I, s:f, s:o}",
                                "path", assay_emit_string(options->path), "subject", work->subject,
                                "shows", 1, "ops_before", (json_int_t)work->ops_before, "ops",
                                (json_int_t)work->from.count, "minimised",
                                (int)work->shrunk.minimised, "random", (int)work->shrunk.random,
                                "hits", (int)work->shrunk.hits, "trials", (int)work->shrunk.trials,
                                "runs", (json_int_t)work->shrunk.runs, "seconds", seconds, "folder",
                                assay_emit_string(work->path)));
}

static int tell_nothing(struct work *work)
{
    const struct options *options = work->options;
    struct assay_emit emit = options->common.emit;
    struct assay_printable shown[2];
    if (assay_interrupted)
        return assay_interrupt_end();
    fprintf(assay_emit_text(&emit), "'%s' shows %s%s on %s: nothing to minimise\n",
            assay_printable(&shown[0], options->path),
            options->property  ? "no violation of "
            : work->from_trace ? "no violation"
                               : "no violation of its kind",
            options->property ? assay_property_info(options->property)->id : "",
            assay_printable(&shown[1], work->subject));
    assay_emit_object(&emit, "assay.minimize",
                      json_pack("{s:o, s:s, s:b, s:I, s:n, s:n, s:n, s:n, s:n, s:n, s:f, s:n}",
                                "path", assay_emit_string(options->path), "subject", work->subject,
                                "shows", 0, "ops_before", (json_int_t)work->from.count, "ops",
                                "minimised", "random", "hits", "trials", "runs", "seconds",
                                (double)(assay_now_ns() - work->start_ns) / 1e9, "folder"));
    return ASSAY_EXIT_CLEAN;
}

static int minimize(struct work *work, struct assay_output_run *run, struct assay_error *err)
{
    char absolute[PATH_MAX];
    struct stat status;
    int code = 0;
    work->from_trace = stat(work->options->path, &status) != 0 || !S_ISDIR(status.st_mode);
    if (work->from_trace && !work->options->subject)
        return assay_fail(err, ASSAY_E_USAGE, "no --subject given for the trace '%s'",
                          work->options->path);
    if (!work->from_trace &&
        (code = assay_finding_dir_read(work->options->path, &work->from, err)) < 0)
        return code;
    if ((code = find_subject(work, absolute, err)) < 0 || (code = make_folder(work, err)) < 0)
        return code;
    bool found =
        work->from_trace ? take_trace(work, &code, err) : shows_with_a_seed(work, &code, err);
    if (code < 0)
        return code;
    run->subject = work->subject;
    run->missing_apis = work->spec.missing_apis;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        run->why[p] = "one finding is looked for, and nothing else";
    if (!found) {
        run->exit_code = tell_nothing(work);
        code = assay_output_write(&work->options->output, run, err);
        return code < 0 ? code : run->exit_code;
    }
    work->ops_before = work->from.count;
    work->repeats_before = assay_finding_dir_repeats(work->from.ops, work->from.count);
    if ((code = shrink(work, err)) < 0 || (code = write_finding(work, err)) < 0)
        return code;
    tell(work, run);
    run->exit_code = ASSAY_EXIT_FINDINGS;
    if ((code = assay_output_write(&work->options->output, run, err)) < 0)
        return code;
    return assay_interrupted ? assay_interrupt_end() : ASSAY_EXIT_FINDINGS;
}

int assay_cmd_minimize(int argc, char **argv)
{
    static struct options options = {.process = -1, .max_time_ns = UINT64_C(60000000000)};
    static struct work work = {.options = &options};
    struct assay_output_run run;
    struct assay_error err = {0};
    assay_options_parse(&argp, argc, argv, 0, &options);
    assay_output_begin(&run, "minimize", argc, argv);
    if (assay_output_ready(&options.output, options.out, &err) < 0)
        return assay_report_error(&err);
    assay_catch_interrupts(true);
    work.start_ns = assay_now_ns();
    int code = minimize(&work, &run, &err);
    if (work.made)
        rmdir(work.out); /* only if nothing was written */
    assay_finding_dir_free(&work.from);
    assay_output_free(&run);
    return code < 0 ? assay_report_error(&err) : code;
}

/* assay fuzz: generated programs against a subject until time is up. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/directed.h"
#include "tools/finding_dir.h"
#include "tools/fuzz.h"
#include "tools/fuzz_engine.h"
#include "tools/fuzz_results.h"
#include "tools/interrupt.h"
#include "tools/named_subject.h"
#include "tools/options.h"
#include "tools/output/output.h"
#include "tools/progress.h"
#include "tools/whole_file.h"
#include "traces/core/clock.h"
#include "traces/core/printable.h"

enum {
    KEY_TIME = ASSAY_KEY_FIRST,
    KEY_SEED,
    KEY_MISUSE,
    KEY_GUIDANCE,
    KEY_RUNS,
    KEY_PROFILE,
    KEY_MIX,
    KEY_SUPPRESSIONS,
    KEY_PROGRAMS
};

enum guidance { GUIDANCE_COVERAGE, GUIDANCE_FEATURES, GUIDANCE_NONE, GUIDANCE_DEFAULT };
static const char *const guidances[] = {"coverage", "features", "none", NULL};

enum programs { PROGRAMS_ALL, PROGRAMS_RANDOM, PROGRAMS_DIRECTED };
static const char *const program_kinds[] = {"all", "random", "directed", NULL};

struct options {
    struct assay_common common;
    struct assay_output_options output;
    const char *subject, *out, *profile, *suppressions;
    uint64_t max_time_ns, runs, seed;
    bool seeded, misuse, mix;
    unsigned jobs;
    enum guidance guidance;
    enum programs programs;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: return assay_output_inputs(state, &options->common, &options->output);
    case 's': options->subject = arg; return 0;
    case 'o': options->out = arg; return 0;
    case 'j': options->jobs = (unsigned)assay_option_number(state, "jobs", arg, 1, 256); return 0;
    case KEY_TIME: options->max_time_ns = assay_option_duration(state, "max-time", arg); return 0;
    case KEY_SEED:
        options->seed = assay_option_number(state, "seed", arg, 0, INT64_MAX);
        options->seeded = true;
        return 0;
    case KEY_MISUSE: options->misuse = true; return 0;
    case KEY_GUIDANCE:
        options->guidance = (enum guidance)assay_option_choice(state, "guidance", arg, guidances);
        return 0;
    case KEY_RUNS: options->runs = assay_option_number(state, "runs", arg, 1, INT64_MAX); return 0;
    case KEY_PROFILE: options->profile = arg; return 0;
    case KEY_MIX: options->mix = true; return 0;
    case KEY_PROGRAMS:
        options->programs =
            (enum programs)assay_option_choice(state, "programs", arg, program_kinds);
        return 0;
    case KEY_SUPPRESSIONS: options->suppressions = arg; return 0;
    case ARGP_KEY_ARG:
        return assay_usage(state, "'%s' is one word too many: --subject names the allocator", arg);
    case ARGP_KEY_END:
        assay_option_not_recorded(state, "subject", options->subject);
        if (options->mix && options->misuse)
            return assay_usage(state, "--mix is a legal mix: it cannot go with --misuse");
        if (options->mix && options->guidance == GUIDANCE_FEATURES)
            return assay_usage(state, "--mix is always the same: --guidance features has no use");
        if (options->programs == PROGRAMS_DIRECTED &&
            (options->mix || options->guidance < GUIDANCE_NONE))
            return assay_usage(state, "--programs directed goes without --mix and --guidance");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option table[] = {
    {"subject", 's', "S", 0,
     "bulwark (default), glibc, jemalloc, mimalloc, tcmalloc, scudo, a path, or adapter:FILE.c", 0},
    {"max-time", KEY_TIME, "TIME", 0, "stop after TIME, more than 0 (default 30s)", 0},
    {"runs", KEY_RUNS, "N", 0, "stop after N random programs (then no time limit is set by itself)",
     0},
    {"seed", KEY_SEED, "N", 0, "programs follow from it; default: a random one, printed", 0},
    {"out", 'o', "DIR", 0, "where findings and stats.json go (default: assay-fuzz-SUBJECT)", 0},
    {"jobs", 'j', "N", 0, "so many children at a time (default 1)", 0},
    {"misuse", KEY_MISUSE, NULL, 0, "end some programs in a misuse that the profile detects", 0},
    {"mix", KEY_MIX, NULL, 0, "the committed mix in place of ever different programs", 0},
    {"programs", KEY_PROGRAMS, "WHICH", 0,
     "random, directed (systematic experiments, once) or all (default)", 0},
    {"guidance", KEY_GUIDANCE, "WHAT", 0,
     "coverage (bulwark only, its default), features (what the subject answers) or none", 0},
    {"profile", KEY_PROFILE, "FILE", 0,
     "what the subject promises, see assay-profile(5); default: the shipped one", 0},
    {"suppressions", KEY_SUPPRESSIONS, "FILE", 0, "findings that are known, each with its reason",
     0},
    {0}};

static const struct argp argp = {
    .options = table,
    .parser = parse,
    .doc = "Drives a subject with generated programs, judges every answer, and leaves each kind of "
           "finding as a folder with a minimal program and a C reproducer.\v"
           "Exit: 0 clean, 1 findings, 2 usage, 3 could not run, 4 inconclusive, 130 interrupted.",
    .children = assay_output_progress_children};

/* ---- the run -------------------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    struct assay_fuzz_state *state;
    unsigned number;
    _Atomic bool done;
};

static void *work(void *self)
{
    struct worker *worker = self;
    assay_fuzz_isolated(worker->state, worker->number);
    atomic_store(&worker->done, true);
    return NULL;
}

static void watch(const struct options *options, struct assay_fuzz_state *state,
                  const struct worker *workers)
{
    struct assay_progress progress;
    const struct timespec nap = {0, 50 * 1000 * 1000};
    assay_progress_begin(&progress, "fuzz", "calls", 0, state->config->max_time_ns,
                         options->common.quiet);
    for (bool running = true; running;) {
        char note[96];
        struct assay_human done;
        running = false;
        for (unsigned i = 0; i < state->config->jobs; i++)
            running |= !atomic_load(&workers[i].done);
        pthread_mutex_lock(&state->lock);
        size_t found = assay_finding_set_new(state->findings);
        pthread_mutex_unlock(&state->lock);
        const char *minimising = atomic_load(&state->minimising);
        snprintf(note, sizeof note, "%s, %zu finding%s%s%s",
                 assay_human_of(&done, atomic_load(&state->programs), "program", "programs"), found,
                 found == 1 ? "" : "s", minimising ? ", minimising " : "",
                 minimising ? minimising : "");
        assay_progress_update(&progress, atomic_load(&state->calls), note);
        if (running)
            nanosleep(&nap, NULL);
    }
    assay_progress_end(&progress);
}

static int run_isolated(const struct options *options, struct assay_fuzz_state *state,
                        struct assay_error *err)
{
    unsigned jobs = state->config->jobs;
    struct worker *workers = calloc(jobs, sizeof *workers);
    unsigned started = 0;
    if (!workers)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    for (; started < jobs; started++) {
        workers[started].state = state;
        workers[started].number = started;
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0) {
            assay_interrupted = 1;
            break;
        }
    }
    for (unsigned i = started; i < jobs; i++)
        atomic_store(&workers[i].done, true);
    watch(options, state, workers);
    for (unsigned i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    free(workers);
    if (started < jobs)
        return assay_fail(err, ASSAY_E_SYSTEM, "cannot start %u threads", jobs);
    if (state->err.code) {
        *err = state->err;
        return err->code;
    }
    return 0;
}

static int make_folders(const char *out, char findings[PATH_MAX], struct assay_error *err)
{
    int code = assay_make_folder(out, err);
    if (code < 0)
        return code;
    int n = snprintf(findings, PATH_MAX, "%s/findings", out);
    if (n < 0 || n > PATH_MAX - 64)
        return assay_fail(err, ASSAY_E_USAGE, "the name of the output folder is too long");
    if (mkdir(findings, 0777) != 0 && errno != EEXIST)
        return assay_fail_errno(err, "cannot create '%s'", findings);
    char absolute[PATH_MAX]; /* what is printed and written works from any folder */
    if (!realpath(findings, absolute))
        return assay_fail_errno(err, "cannot find '%s'", findings);
    if (strlen(absolute) > PATH_MAX - 64)
        return assay_fail(err, ASSAY_E_USAGE, "the name of the output folder is too long");
    if (access(absolute, W_OK | X_OK) != 0)
        return assay_fail_errno(err, "cannot write into '%s'", absolute);
    memcpy(findings, absolute, sizeof absolute);
    return 0;
}

static int make_corpus(const char *findings, char corpus[PATH_MAX], struct assay_error *err)
{
    int out = (int)(strlen(findings) - strlen("findings"));
    snprintf(corpus, PATH_MAX, "%.*scorpus", out, findings);
    if (mkdir(corpus, 0777) != 0 && errno != EEXIST)
        return assay_fail_errno(err, "cannot create '%s'", corpus);
    return 0;
}

/* The finding is of this subject, as it is built today, for all that its folder tells. */
static bool is_of(const char *folder, const char *subject, const char *build_id)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/finding.json", folder);
    json_t *finding = n > 0 && n < PATH_MAX ? json_load_file(path, 0, NULL) : NULL;
    const char *whose = json_string_value(json_object_get(finding, "subject"));
    const char *build = json_string_value(json_object_get(finding, "build_id"));
    bool is = (!whose || strcmp(whose, subject) == 0) && (!build || strcmp(build, build_id) == 0);
    json_decref(finding);
    return is;
}

/* An earlier run's findings stay; its figures must not pass for this run's. */
static void take_over(const char *out, const char *findings, const char *subject,
                      const char *build_id)
{
    char path[PATH_MAX];
    struct assay_printable shown;
    unsigned old = 0, others = 0;
    const struct dirent *entry;
    snprintf(path, sizeof path, "%.*s/stats.json", PATH_MAX - 16, out);
    unlink(path);
    DIR *folder = opendir(findings);
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        old++;
        int n = snprintf(path, sizeof path, "%s/%s", findings, entry->d_name);
        others += n > 0 && n < PATH_MAX && !is_of(path, subject, build_id);
    }
    if (folder)
        closedir(folder);
    if (old)
        fprintf(stderr, "note: '%s' holds %u finding%s of earlier runs",
                assay_printable(&shown, findings), old, old == 1 ? "" : "s");
    if (others)
        fprintf(stderr,
                ", %u of another subject or build: remove what is not to be mixed, or give another "
                "--out",
                others);
    if (old)
        fputc('\n', stderr);
}

static int find_subject(struct options *options, struct assay_fuzz_config *config,
                        struct assay_subject_spec *spec, char absolute[PATH_MAX],
                        struct assay_error *err)
{
    int code = assay_named_subject(options->subject, options->profile, spec, &config->profile, err);
    if (code < 0 || (code = assay_subject_probe(spec, err)) < 0)
        return code;
    config->subject = assay_subject_anywhere(options->subject, absolute);
    return 0;
}

static const char *default_folder(const struct assay_subject_spec *spec)
{
    static char name[96];
    snprintf(name, sizeof name, "assay-fuzz-%s", spec->name);
    return name;
}

static int verdict(const struct assay_fuzz_totals *totals, const struct assay_fuzz_state *state)
{
    if (assay_interrupted)
        return assay_interrupt_end();
    if (totals->findings)
        return ASSAY_EXIT_FINDINGS;
    bool ended = atomic_load(&state->out_of_memory) || atomic_load(&state->ended_early);
    bool nothing_ran =
        ended &&
        (totals->programs == 0 ||
         atomic_load(&state->ended_early) + atomic_load(&state->out_of_memory) >= totals->programs);
    bool no_race_tried = atomic_load(&state->races_trapped) && !atomic_load(&state->races_tried);
    if (atomic_load(&state->unconfirmed) || nothing_ran || no_race_tried || assay_fuzz_idle(totals))
        return ASSAY_EXIT_INCONCLUSIVE;
    return ASSAY_EXIT_CLEAN;
}

int assay_cmd_fuzz(int argc, char **argv)
{
    static struct options options = {.subject = "bulwark", .jobs = 1, .guidance = GUIDANCE_DEFAULT};
    static struct assay_subject_spec spec;
    static struct assay_fuzz_state state;
    static char findings[PATH_MAX], absolute[PATH_MAX], corpus[PATH_MAX];
    static struct assay_printable shown[3];
    struct assay_fuzz_config config = {.interrupted = &assay_interrupted, .guidance = "none"};
    struct assay_error err = {0};
    struct assay_fuzz_totals totals;
    struct assay_output_run run;

    assay_options_parse(&argp, argc, argv, 0, &options);
    assay_output_begin(&run, "fuzz", argc, argv);
    if (assay_output_ready(&options.output, options.out, &err) < 0)
        return assay_report_error(&err);
    if (options.suppressions &&
        assay_suppressions_load(options.suppressions, &config.suppressions, &err) < 0)
        return assay_report_error(&err);
    if (!options.max_time_ns && !options.runs)
        options.max_time_ns = UINT64_C(30000000000);
    if (!options.seeded && getrandom(&options.seed, 4, 0) != 4)
        options.seed = assay_now_ns();
    if (find_subject(&options, &config, &spec, absolute, &err) < 0)
        return assay_report_error(&err);
    bool bulwark = strcmp(options.subject, "bulwark") == 0;
    if (options.guidance == GUIDANCE_COVERAGE && (!bulwark || options.mix))
        return assay_report_error((
            assay_fail(&err, ASSAY_E_USAGE, "--guidance coverage works for the subject 'bulwark'%s",
                       bulwark ? " without --mix" : " only; use --guidance features or none"),
            &err));
    bool engine = bulwark && !options.mix && options.programs != PROGRAMS_DIRECTED &&
                  (options.guidance == GUIDANCE_COVERAGE ||
                   (options.guidance == GUIDANCE_DEFAULT && assay_fuzz_engine_there()));
    if (!options.out)
        options.out = default_folder(&spec);
    if (!assay_emit_is_utf8(options.out) ||
        !assay_emit_is_utf8(config.subject)) /* JSON has no other names */
        return assay_report_error((assay_fail(&err, ASSAY_E_USAGE, "--%s: the name is not UTF-8",
                                              assay_emit_is_utf8(options.out) ? "subject" : "out"),
                                   &err));
    if (make_folders(options.out, findings, &err) < 0)
        return assay_report_error(&err);
    bool features = options.guidance == GUIDANCE_FEATURES;
    if (features && make_corpus(findings, corpus, &err) < 0)
        return assay_report_error(&err);
    take_over(options.out, findings, config.subject, spec.build_id);
    assay_catch_interrupts(false);
    signal(SIGPIPE, SIG_IGN);

    assay_program_limits_default(&config.limits);
    config.limits.missing_apis = spec.missing_apis;
    config.limits.misuse = options.misuse && config.profile.detects_double_free == ASSAY_ANSWER_YES;
    if (options.mix) {
        config.limits.max_live_bytes = UINT64_C(1) << 28;
    } else if (!engine) { /* an engine's limits are those of its corpus */
        config.limits.max_object_bytes = UINT64_C(1) << 26;
        config.limits.max_live_bytes = UINT64_C(1) << 27;
        config.limits.max_live_objects = ASSAY_GENERATE_MAX_LIVE;
    }
    config.random = options.programs != PROGRAMS_DIRECTED;
    config.directed = options.programs != PROGRAMS_RANDOM && !options.mix;
    config.spec = &spec;
    config.profile_path = options.profile;
    config.mode = options.mix ? ASSAY_GENERATE_MIX : ASSAY_GENERATE_SWARM;
    config.seed = options.seed;
    config.max_time_ns = options.max_time_ns;
    config.max_runs = options.runs;
    config.jobs = options.jobs;
    config.findings_folder = findings;
    config.corpus_folder = features ? corpus : NULL;
    config.guidance = engine ? "coverage" : features ? "features" : "none";
    FILE *text = assay_emit_text(&options.common.emit);
    fprintf(stderr, "fuzz %s, seed %" PRIu64 ", guidance %s, profile %s, into '%s'\n",
            assay_printable(&shown[0], options.subject), config.seed, config.guidance,
            assay_printable(&shown[1], config.profile.name),
            assay_printable(&shown[2], options.out));
    assay_say_generic(options.subject, options.profile, &config.profile);
    if (options.misuse && !config.limits.misuse)
        fprintf(stderr, "the profile promises no detection: no misuse is injected\n");

    int code = assay_fuzz_state_init(&state, &config, &err);
    if (code == 0)
        code = engine ? assay_fuzz_engine(&state, options.out, options.common.quiet, &err)
                      : run_isolated(&options, &state, &err);
    assay_fuzz_take_totals(&state, &totals);
    assay_fuzz_leave_out(&config, &totals);
    int exit_code = verdict(&totals, &state);
    if (code == 0) {
        json_t *object = assay_fuzz_stats(&state, &totals);
        run.subject = config.subject;
        run.exit_code = exit_code;
        run.missing_apis = spec.missing_apis;
        memcpy(run.judged, totals.judged, sizeof run.judged);
        memcpy(run.why, totals.why, sizeof run.why);
        memcpy(run.evaluations, totals.evaluations, sizeof run.evaluations);
        assay_fuzz_collect(&run, &state);
        json_object_set_new(object, "crashes", assay_output_clusters(&run));
        json_object_set_new(object, "unused_suppressions",
                            assay_output_unused(config.suppressions, options.suppressions));
        code = assay_fuzz_write_stats(options.out, object, &err);
        assay_fuzz_print_summary(text, &totals, &state);
        assay_output_print_clusters(text, &run);
        if (code == 0)
            fprintf(text, "written: '%s/stats.json'\n", assay_printable(&shown[0], options.out));
        assay_fuzz_print_verdict(text, &totals, &state);
        assay_fuzz_emit_findings(&options.common.emit, &state);
        assay_emit_object(&options.common.emit, "assay.fuzz", object);
        if (code == 0)
            code = assay_output_write(&options.output, &run, &err);
    }
    assay_output_free(&run);
    assay_fuzz_state_free(&state);
    assay_suppressions_free(config.suppressions);
    return code < 0 ? assay_report_error(&err) : exit_code;
}

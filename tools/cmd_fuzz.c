/* assay fuzz: generated programs against a subject until time is up. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/directed.h"
#include "tools/finding_dir.h"
#include "tools/fuzz.h"
#include "tools/fuzz_engine.h"
#include "tools/interrupt.h"
#include "tools/named_subject.h"
#include "tools/options.h"
#include "tools/output/output.h"
#include "tools/progress.h"
#include "tools/shell.h"
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
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->common;
        state->child_inputs[1] = &options->output;
        return 0;
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
    case ARGP_KEY_ARG: return assay_usage(state, "'%s' is one word too many", arg);
    case ARGP_KEY_END:
        if (strcmp(options->subject, "recorded") == 0)
            return assay_usage(state, "--subject: 'recorded' goes with 'assay replay' only");
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

/* ---- results -------------------------------------------------------------------------------- */

struct totals {
    uint64_t programs, calls, findings, accepted, suspects;
    double seconds, first_finding_s;
    uint64_t evaluations[ASSAY_PROPERTY_COUNT];
    bool judged[ASSAY_PROPERTY_COUNT];
};

/* Rows that this kind of run cannot reach: what the profile does not promise, what the mix or the
 * directed programs alone do not have; and what only directed programs reach, if they did not. */
static void leave_out(const struct assay_fuzz_config *config, struct totals *totals)
{
    if (!config->limits.misuse)
        totals->judged[ASSAY_PROPERTY_S01] = false;
    if (config->profile.usable_writable != ASSAY_ANSWER_YES)
        totals->judged[ASSAY_PROPERTY_C09] = false;
    static const uint64_t aligning =
        UINT64_C(1) << ASSAY_OP_ALIGNED_ALLOC | UINT64_C(1) << ASSAY_OP_POSIX_MEMALIGN |
        UINT64_C(1) << ASSAY_OP_MEMALIGN | UINT64_C(1) << ASSAY_OP_VALLOC |
        UINT64_C(1) << ASSAY_OP_PVALLOC;
    if ((config->limits.missing_apis & aligning) == aligning)
        totals->judged[ASSAY_PROPERTY_C16] = false; /* no aligned object to resize */
    static const uint64_t resizing = UINT64_C(1) << ASSAY_OP_REALLOC | UINT64_C(1)
                                                                           << ASSAY_OP_REALLOCARRAY;
    if ((config->limits.missing_apis & resizing) == resizing)
        totals->judged[ASSAY_PROPERTY_C13] = false; /* which usable_size and births touch too */
    static const enum assay_property directed[] = {ASSAY_PROPERTY_C31, ASSAY_PROPERTY_C32,
                                                   ASSAY_PROPERTY_C33, ASSAY_PROPERTY_C36};
    for (size_t i = 0; i < sizeof directed / sizeof *directed; i++)
        if (totals->evaluations[directed[i]] == 0)
            totals->judged[directed[i]] = false;
    bool some = config->mode == ASSAY_GENERATE_MIX || !config->random;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT && some; p++)
        totals->judged[p] = totals->judged[p] && totals->evaluations[p] > 0;
}

/* A judged property that was never evaluated says nothing about the subject. */
static unsigned count_idle(const struct totals *totals)
{
    unsigned idle = 0;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        idle += totals->judged[p] && totals->evaluations[p] == 0;
    return idle;
}

/* Rows that judge a recorded program, not what the fuzzer makes up. */
static bool of_program(unsigned property)
{
    return assay_property_info(property)->severity == ASSAY_SEVERITY_PROGRAM;
}

/* How many directed programs were run, and which could not be. */
static json_t *directed_object(const struct assay_fuzz_state *state)
{
    const struct assay_directed_info *rows;
    json_t *not_run = json_array();
    size_t count = state->config->directed ? assay_directed_list(&rows) : 0, run = 0;
    for (size_t i = 0; i < count; i++) {
        const struct assay_fuzz_directed_state *one = &state->directed[i];
        run += one->done && !one->why_not[0];
        if (one->why_not[0])
            json_array_append_new(not_run, json_pack("{s:s, s:o}", "name", rows[i].name, "why",
                                                     assay_emit_string(one->why_not)));
    }
    return json_pack("{s:I, s:I, s:o}", "run", (json_int_t)run, "of", (json_int_t)count, "not_run",
                     not_run);
}

/* Processor time of the children that have ended: what executed and judged. */
static double children_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static json_t *stats_object(const struct options *options, const struct assay_fuzz_config *config,
                            const struct totals *totals)
{
    json_t *evaluations = json_object(), *judged = json_array(), *not_judged = json_array();
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) {
        const char *id = assay_property_info(p)->id;
        if (of_program(p))
            continue;
        json_array_append_new(totals->judged[p] ? judged : not_judged, json_string(id));
        if (totals->judged[p])
            json_object_set_new(evaluations, id, json_integer((json_int_t)totals->evaluations[p]));
    }
    double seconds = totals->seconds > 0 ? totals->seconds : 1e-9;
    json_t *object = json_pack(
        "{s:I, s:I, s:f, s:f, s:I, s:o, s:I, s:o, s:o, s:o, s:s, s:s, s:I, s:i, s:f, s:f}",
        "execs_done", (json_int_t)totals->programs, "ops_done", (json_int_t)totals->calls,
        "execs_per_sec", (double)totals->programs / seconds, "ops_per_sec",
        (double)totals->calls / seconds, "findings", (json_int_t)totals->findings,
        "first_finding_s",
        totals->first_finding_s < 0 ? json_null() : json_real(totals->first_finding_s), "accepted",
        (json_int_t)totals->accepted, "evaluations", evaluations, "judged", judged, "not_judged",
        not_judged, "subject", options->subject, "guidance", config->guidance, "seed",
        (json_int_t)config->seed, "jobs", (int)config->jobs, "seconds", totals->seconds,
        "children_cpu_s", children_cpu_s());
    ASSAY_CHECK(object);
    return object;
}

static int write_stats(const char *out, json_t *object, struct assay_error *err)
{
    char path[PATH_MAX], partial[PATH_MAX];
    json_t *whole = json_pack("{s:s}", "schema", "assay.fuzz");
    ASSAY_CHECK(whole && json_object_update(whole, object) == 0);
    snprintf(path, sizeof path, "%s/stats.json", out);
    snprintf(partial, sizeof partial, "%s/.stats.json.partial", out);
    FILE *file = fopen(partial, "we");
    bool failed =
        !file ||
        json_dumpf(whole, file, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6)) != 0;
    if (file) {
        failed |= fputc('\n', file) == EOF;
        failed |= fclose(file) != 0;
    }
    json_decref(whole);
    if (failed || rename(partial, path) != 0) {
        int code = assay_fail_errno(err, "cannot write '%s'", path);
        unlink(partial);
        return code;
    }
    return 0;
}

static void print_hints(FILE *out, const char *folder)
{
    char report[PATH_MAX + 96];
    snprintf(report, sizeof report, "%s/report.txt", folder);
    char *reproduce = assay_shell_line("assay", "reproduce", folder, NULL);
    char *next = assay_shell_line("less", report, NULL);
    fprintf(out, "reproduce: %s\nnext: %s\n", reproduce, next);
    free(reproduce);
    free(next);
}

/* "812 ops -> 7 ops in 3.0 s" */
static void print_minimising(FILE *out, const struct assay_fuzz_state *state, const char *folder)
{
    struct assay_human a, b;
    for (size_t i = 0; i < state->written_count; i++)
        if (strcmp(state->written[i], folder) == 0)
            fprintf(out, "%s: %s -> %s in %.1f s\n",
                    state->written_minimal[i] ? "minimised" : "not fully minimised",
                    assay_human_of(&a, state->written_ops[i][0], "op", "ops"),
                    assay_human_of(&b, state->written_ops[i][1], "op", "ops"),
                    state->written_seconds[i]);
}

static void print_findings(FILE *out, const struct assay_fuzz_state *state)
{
    struct assay_printable reason;
    for (size_t i = 0; i < assay_finding_set_count(state->findings); i++) {
        const struct assay_finding *finding = assay_finding_set_get(state->findings, i);
        char line[512], folder[PATH_MAX + 64];
        assay_finding_line(line, sizeof line, &finding->violation);
        if (finding->accepted) {
            fprintf(out, "%s (%s): %s\n",
                    finding->suppressed ? "suppressed" : "listed by the profile",
                    assay_printable(&reason, finding->accepted), line);
            continue;
        }
        fprintf(out, "finding: %s\n", line);
        snprintf(folder, sizeof folder, "%s/%s", state->config->findings_folder,
                 finding->fingerprint);
        print_minimising(out, state, folder);
        if (access(folder, R_OK) == 0)
            print_hints(out, folder);
    }
}

static void print_directed(FILE *out, const struct assay_fuzz_state *state)
{
    json_t *directed = directed_object(state), *row;
    struct assay_printable name, why;
    size_t i;
    if (state->config->directed)
        fprintf(out, "directed programs: %d of %d\n",
                (int)json_integer_value(json_object_get(directed, "run")),
                (int)json_integer_value(json_object_get(directed, "of")));
    json_array_foreach(json_object_get(directed, "not_run"), i, row)
        fprintf(out, "not run: %s: %s\n",
                assay_printable(&name, json_string_value(json_object_get(row, "name"))),
                assay_printable(&why, json_string_value(json_object_get(row, "why"))));
    json_decref(directed);
}

static void print_summary(FILE *out, const struct options *options, const struct totals *totals,
                          const struct assay_fuzz_state *state)
{
    struct assay_human a, b, c, d, e;
    struct assay_printable subject;
    double seconds = totals->seconds > 0 ? totals->seconds : 1e-9;
    print_findings(out, state);
    fprintf(out, "\n%s: %s (%s/s), %s (%s/s) in %s, seed %" PRIu64 "\n",
            assay_printable(&subject, options->subject),
            assay_human_of(&a, totals->programs, "program", "programs"),
            assay_human_rate(&b, (double)totals->programs / seconds),
            assay_human_of(&c, totals->calls, "judged call", "judged calls"),
            assay_human_rate(&d, (double)totals->calls / seconds),
            assay_human_duration(&e, (uint64_t)(totals->seconds * 1e9)), state->config->seed);
    print_directed(out, state);
    fprintf(out, "evaluations:");
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        if (totals->judged[p])
            fprintf(out, " %s %s", assay_property_info(p)->id,
                    assay_human_count(&a, totals->evaluations[p]));
    fprintf(out, "\n");
    if (count_idle(totals) > 0) {
        fprintf(out, "NEVER EVALUATED:");
        for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
            if (totals->judged[p] && totals->evaluations[p] == 0)
                fprintf(out, " %s", assay_property_info(p)->id);
        fprintf(out, ": nothing can be said of %s; run longer (%s)\n",
                count_idle(totals) == 1 ? "it" : "them", options->runs ? "--runs" : "--max-time");
    }
    fprintf(out, "not judged:");
    bool all = true;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        if (!totals->judged[p] && !of_program(p)) {
            fprintf(out, " %s", assay_property_info(p)->id);
            all = false;
        }
    fprintf(out, "%s\n", all ? " none" : "");
    if (atomic_load(&state->unconfirmed))
        fprintf(out, "%s did not come back in a fresh child\n",
                assay_human_of(&a, atomic_load(&state->unconfirmed), "suspicion", "suspicions"));
    if (atomic_load(&state->unfrozen))
        fprintf(out,
                "randomness was not frozen: findings may need several runs; 'assay doctor' says "
                "why\n");
    if (atomic_load(&state->out_of_memory))
        fprintf(
            out, "%s ended at the memory limit and replaced\n",
            assay_human_of(&a, atomic_load(&state->out_of_memory), "child was", "children were"));
    if (state->config->corpus_folder)
        fprintf(out, "%s seen, %s kept in '%s'\n",
                assay_human_of(&a, atomic_load(&state->features), "feature", "features"),
                assay_human_of(&b, atomic_load(&state->kept), "program", "programs"),
                assay_printable(&subject, state->config->corpus_folder));
    fprintf(out, "%s%s", assay_human_of(&a, totals->findings, "finding", "findings"),
            totals->first_finding_s < 0 ? "\n" : "");
    if (totals->first_finding_s >= 0)
        fprintf(out, ", the first after %.2f s\n", totals->first_finding_s);
}

/* The finding.json of each, as one line. */
static void emit_findings(struct assay_emit *emit, const struct assay_fuzz_state *state)
{
    for (size_t i = 0; i < state->written_count && emit->json; i++) {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof path, "%s/finding.json", state->written[i]);
        json_t *object = json_load_file(path, 0, NULL);
        if (json_is_object(object))
            assay_emit_object(emit, "assay.finding", object);
        else
            json_decref(object);
    }
}

/* All kinds, accepted ones too: as their folders tell them, where they have one. */
static void collect_findings(struct assay_output_run *run, const struct assay_fuzz_state *state)
{
    for (size_t i = 0; i < assay_finding_set_count(state->findings); i++) {
        const struct assay_finding *finding = assay_finding_set_get(state->findings, i);
        char path[PATH_MAX + 64];
        snprintf(path, sizeof path, "%s/%s/finding.json", state->config->findings_folder,
                 finding->fingerprint);
        json_t *object = finding->accepted ? NULL : json_load_file(path, 0, NULL);
        bool folder = json_is_object(object);
        if (!folder) {
            json_decref(object);
            object = assay_finding_json(&finding->violation, state->config->subject);
            ASSAY_CHECK(object);
        }
        if (finding->accepted)
            json_object_set_new(object, finding->suppressed ? "suppressed" : "accepted",
                                assay_emit_string(finding->accepted));
        json_object_set_new(object, "count", json_integer((json_int_t)finding->count));
        snprintf(path, sizeof path, folder ? "%s/%s/reproducer.c" : "%s/../stats.json",
                 state->config->findings_folder, finding->fingerprint);
        assay_output_add(run, object, path);
    }
}

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
        snprintf(note, sizeof note, "%s, %zu finding%s",
                 assay_human_of(&done, atomic_load(&state->programs), "program", "programs"), found,
                 found == 1 ? "" : "s");
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

static void take_totals(const struct assay_fuzz_state *state, struct totals *totals)
{
    totals->programs = atomic_load(&state->programs);
    totals->calls = atomic_load(&state->calls);
    totals->findings = assay_finding_set_new(state->findings);
    totals->accepted = assay_finding_set_count(state->findings) - totals->findings;
    totals->first_finding_s = state->first_finding_s;
    totals->seconds = (double)(assay_now_ns() - state->start_ns) / 1e9;
    memcpy(totals->evaluations, state->evaluations, sizeof totals->evaluations);
    memcpy(totals->judged, state->judged, sizeof totals->judged);
}

static int make_folders(const char *out, char findings[PATH_MAX], struct assay_error *err)
{
    if (mkdir(out, 0777) != 0 && errno != EEXIST)
        return assay_fail_errno(err, "cannot create '%s'", out);
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

/* An earlier run's findings stay; its figures must not pass for this run's. */
static void take_over(const char *out, const char *findings)
{
    char path[PATH_MAX];
    struct assay_printable shown;
    unsigned old = 0;
    const struct dirent *entry;
    snprintf(path, sizeof path, "%.*s/stats.json", PATH_MAX - 16, out);
    unlink(path);
    DIR *folder = opendir(findings);
    while (folder && (entry = readdir(folder)))
        old += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    if (old)
        fprintf(stderr, "note: '%s' holds %u finding%s of earlier runs\n",
                assay_printable(&shown, findings), old, old == 1 ? "" : "s");
}

static int find_subject(struct options *options, struct assay_fuzz_config *config,
                        struct assay_subject_spec *spec, char absolute[PATH_MAX],
                        struct assay_error *err)
{
    int code = assay_named_subject(options->subject, options->profile, spec, &config->profile, err);
    if (code < 0 || (code = assay_subject_probe(spec, err)) < 0)
        return code;
    config->subject = assay_finding_dir_subject(options->subject, absolute);
    return 0;
}

static const char *default_folder(const struct assay_subject_spec *spec)
{
    static char name[96];
    snprintf(name, sizeof name, "assay-fuzz-%s", spec->name);
    return name;
}

static int verdict(const struct totals *totals, const struct assay_fuzz_state *state)
{
    if (assay_interrupted)
        return assay_interrupt_end();
    if (totals->findings)
        return ASSAY_EXIT_FINDINGS;
    bool nothing_ran = atomic_load(&state->out_of_memory) && totals->programs == 0;
    if (atomic_load(&state->unconfirmed) || nothing_ran || count_idle(totals))
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
    struct totals totals;
    struct assay_output_run run;

    assay_options_parse(&argp, argc, argv, 0, &options);
    assay_output_begin(&run, "fuzz", argc, argv);
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
    take_over(options.out, findings);
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
    if (options.misuse && !config.limits.misuse)
        fprintf(stderr, "the profile promises no detection: no misuse is injected\n");

    int code = assay_fuzz_state_init(&state, &config, &err);
    if (code == 0)
        code = engine ? assay_fuzz_engine(&state, options.out, options.common.quiet, &err)
                      : run_isolated(&options, &state, &err);
    take_totals(&state, &totals);
    leave_out(&config, &totals);
    int exit_code = verdict(&totals, &state);
    if (code == 0) {
        json_t *object = stats_object(&options, &config, &totals);
        run.subject = config.subject;
        run.exit_code = exit_code;
        memcpy(run.judged, totals.judged, sizeof run.judged);
        memcpy(run.evaluations, totals.evaluations, sizeof run.evaluations);
        collect_findings(&run, &state);
        json_object_set_new(object, "directed", directed_object(&state));
        json_object_set_new(object, "crashes", assay_output_clusters(&run));
        json_object_set_new(object, "unused_suppressions",
                            assay_output_unused(config.suppressions, options.suppressions));
        code = write_stats(options.out, object, &err);
        print_summary(text, &options, &totals, &state);
        assay_output_print_clusters(text, &run);
        if (code == 0)
            fprintf(text, "written: '%s/stats.json'\n", assay_printable(&shown[0], options.out));
        emit_findings(&options.common.emit, &state);
        assay_emit_object(&options.common.emit, "assay.fuzz", object);
        if (code == 0)
            code = assay_output_write(&options.output, &run, &err);
    }
    assay_output_free(&run);
    assay_fuzz_state_free(&state);
    assay_suppressions_free(config.suppressions);
    return code < 0 ? assay_report_error(&err) : exit_code;
}

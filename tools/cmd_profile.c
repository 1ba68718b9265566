/* assay profile: what an allocator answers to every key of a profile, measured; or whether a
 * profile still says what is measured. */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/named_subject.h"
#include "tools/options.h"
#include "tools/profile.h"
#include "tools/whole_file.h"
#include "traces/core/clock.h"
#include "traces/core/printable.h"

enum {
    KEY_TIME = ASSAY_KEY_FIRST,
    KEY_SEED,
    KEY_RUNS,
    KEY_TRIALS,
    KEY_CHECK,
    KEY_KEYS,
    KEY_ABOUT,
    KEY_NAME
};
enum { KEYS_MAX = 128, INTERRUPT_S = 2 /* what an interrupted run may still take */ };

struct options {
    struct assay_common common;
    char *subject;
    const char *out, *check, *about, *name;
    bool keys[KEYS_MAX], some_keys, runs_given;
    uint64_t max_time_ns, seed, runs, max_trials;
    unsigned jobs;
};

static error_t add_keys(struct argp_state *state, struct options *options, char *arg)
{
    const struct assay_profile_key *keys;
    size_t n = assay_profile_keys(&keys), i, count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(arg, ",", &rest); word; word = strtok_r(NULL, ",", &rest), count++) {
        for (i = 0; i < n && strcmp(word, keys[i].name) != 0; i++)
            ;
        if (i == n || i >= KEYS_MAX)
            return assay_usage(state, "--keys: '%.40s' is no key of assay-profile(5)", word);
        options->keys[i] = true;
    }
    if (count == 0)
        return assay_usage(state, "--keys: no key is named");
    options->some_keys = true;
    return 0;
}

static error_t end(struct argp_state *state, struct options *options)
{
    if (!options->subject)
        return assay_usage(state, "name a subject");
    if (options->check && options->out)
        return assay_usage(state, "--check writes no file; leave --output out");
    if (options->some_keys && options->out)
        return assay_usage(state, "--keys measures a part; leave --output out");
    if (options->name && (options->name[0] == '\0' || strlen(options->name) > 31))
        return assay_usage(state, "--name: a name has 1 to 31 characters");
    if ((options->check || options->some_keys) && !options->runs_given)
        options->runs = 0;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
    case 's':
    case ARGP_KEY_ARG:
        if (options->subject)
            return assay_usage(state, "'%s' is one word too many", arg);
        options->subject = arg;
        return 0;
    case 'o': options->out = arg; return 0;
    case 'j': options->jobs = (unsigned)assay_option_number(state, "jobs", arg, 1, 256); return 0;
    case KEY_TIME: options->max_time_ns = assay_option_duration(state, "max-time", arg); return 0;
    case KEY_SEED: options->seed = assay_option_number(state, "seed", arg, 0, INT64_MAX); return 0;
    case KEY_RUNS:
        options->runs = assay_option_number(state, "runs", arg, 0, INT64_MAX);
        options->runs_given = true;
        return 0;
    case KEY_TRIALS:
        options->max_trials = assay_option_number(state, "trials", arg, 1, INT32_MAX);
        return 0;
    case KEY_CHECK: options->check = arg; return 0;
    case KEY_KEYS: return add_keys(state, options, arg);
    case KEY_ABOUT: options->about = arg; return 0;
    case KEY_NAME: options->name = arg; return 0;
    case ARGP_KEY_END: return end(state, options);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option table[] = {
    {"subject", 's', "S", 0, "the subject, as other commands have it; the same as SUBJECT", 0},
    {"output", 'o', "FILE", 0, "write the profile to FILE; what was put into it by hand stays", 0},
    {"check", KEY_CHECK, "FILE", 0, "write nothing; does this profile say what is measured?", 0},
    {"keys", KEY_KEYS, "LIST", 0, "measure only these keys, as in malloc_zero_null,realloc_zero",
     0},
    {"about", KEY_ABOUT, "TEXT", 0, "a line for the file's head: version, where it is from", 0},
    {"name", KEY_NAME, "NAME", 0, "name in the profile (default: FILE's, else the subject's)", 0},
    {"max-time", KEY_TIME, "TIME", 0, "stop after TIME (default 2m)", 0},
    {"trials", KEY_TRIALS, "N", 0, "at most N trials of a misuse (default 1000)", 0},
    {"runs", KEY_RUNS, "N", 0,
     "look for violations with N programs (default 2000; 0 with --check and --keys)", 0},
    {"seed", KEY_SEED, "N", 0, "of what programs draw (default 1)", 0},
    {"jobs", 'j', "N", 0, "so many children at a time (default: one per processor)", 0},
    {0}};

static const struct argp argp = {
    .options = table,
    .parser = parse,
    .args_doc = "SUBJECT",
    .doc =
        "Measures what an allocator promises where the standards leave it open, and writes its "
        "profile, assay-profile(5).\v"
        "Exit: 0 measured (--check: the profile agrees), 1 violations were found, or the profile "
        "is contradicted, 2 usage, 3 could not run, 4 time was too short, or a promise is "
        "undecided, "
        "130 interrupted.",
    .children = assay_progress_children};

/* ---- results -------------------------------------------------------------------------------- */

struct result {
    const struct assay_measuring *measure;
    const struct assay_profile_hand *hand;
    const char *name;
    bool kept; /* the file that was there is left alone */
};

static void write_profile(FILE *out, const void *self)
{
    const struct result *result = self;
    assay_profile_text(out, result->measure, result->name, result->hand);
}

static json_t *summary(const struct options *options, const struct result *result, double seconds)
{
    const struct assay_measuring *measure = result->measure;
    const struct assay_subject_spec *spec = measure->config.spec;
    char absolute[PATH_MAX];
    json_int_t told = 0, wanted = 0;
    json_t *missing = json_array();
    for (size_t i = 0; i < measure->count; i++) {
        wanted += measure->facts[i].wanted;
        told += measure->facts[i].told;
    }
    for (unsigned kind = 1; kind < ASSAY_OP_COUNT; kind++)
        if (spec->missing_apis >> kind & 1)
            json_array_append_new(missing, json_string(assay_op_info(kind)->name));
    return json_pack("{s:o, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "subject",
                     assay_emit_string(assay_subject_anywhere(options->subject, absolute)), "name",
                     result->name, "build_id", spec->build_id, "missing", missing, "keys", wanted,
                     "told", told, "candidates", (json_int_t)json_array_size(measure->candidates),
                     "asked", (json_int_t)measure->asked, "trials", (json_int_t)measure->trials,
                     "programs", (json_int_t)measure->programs, "seed", (json_int_t)options->seed,
                     "seconds", seconds);
}

static void print_summary(FILE *text, const struct options *options, const struct result *result,
                          double seconds)
{
    const struct assay_measuring *measure = result->measure;
    struct assay_human a, b, c, d;
    struct assay_printable shown;
    size_t told = 0, wanted = 0, interrupted = 0, i;
    const json_t *candidate;
    for (i = 0; i < measure->count; i++) {
        const struct assay_profile_fact *fact = &measure->facts[i];
        told += fact->told;
        wanted += fact->wanted;
        bool cut = strcmp(fact->reason, "interrupted") == 0;
        interrupted += fact->wanted && !fact->told && cut;
        if (fact->wanted && !fact->told && !cut)
            fprintf(text, "not told: %s: %s\n", fact->key->name,
                    assay_printable(&shown, fact->reason));
    }
    if (interrupted)
        fprintf(text, "not told: %s: interrupted\n",
                assay_human_of(&a, interrupted, "key", "keys"));
    json_array_foreach(measure->candidates, i, candidate)
        fprintf(text, "candidate: %s: %s\n", json_string_value(json_object_get(candidate, "line")),
                assay_printable(&shown, json_string_value(json_object_get(candidate, "reason"))));
    fprintf(text, "%zu of %zu keys told, by %s questions, %s trials, %s programs, in %s\n", told,
            wanted, assay_human_count(&a, measure->asked), assay_human_count(&b, measure->trials),
            assay_human_count(&c, measure->programs),
            assay_human_duration(&d, (uint64_t)(seconds * 1e9)));
    if (options->out && !assay_interrupted && !result->kept)
        fprintf(text, "written: '%s'\n", assay_printable(&shown, options->out));
}

/* Returns how many keys contradict; *ret_open: how many promises of misuse stay undecided. */
static unsigned report_check(struct options *options, const struct result *result,
                             unsigned *ret_open)
{
    static const struct assay_emit_field fields[] = {{"key", "key", 0},
                                                     {"says", "profile", 0},
                                                     {"value", "measured", 0},
                                                     {"check", "verdict", 0},
                                                     {0}};
    const struct assay_measuring *measure = result->measure;
    json_t *rows = json_array();
    unsigned contradictions = 0;
    for (size_t i = 0; i < measure->count; i++) {
        const struct assay_profile_fact *fact = &measure->facts[i];
        char says[40];
        if (!fact->wanted)
            continue;
        enum assay_profile_check check = assay_measuring_check(measure, fact, result->hand);
        json_t *row = assay_measuring_row(measure, fact);
        assay_profile_value(&result->hand->profile, fact->key, says, sizeof says);
        json_object_set_new(row, "says", json_string(says));
        json_object_set_new(row, "check", json_string(assay_profile_check_name(check)));
        contradictions += check == ASSAY_PROFILE_CONTRADICTS;
        *ret_open += check == ASSAY_PROFILE_NOT_TOLD && fact->how == ASSAY_PROFILE_CELLS &&
                     strcmp(says, "yes") == 0;
        if (!fact->told)
            json_object_set_new(row, "value", json_string("?"));
        json_array_append_new(rows, row);
    }
    assay_emit_table(&options->common.emit, "assay.profile.key", fields, rows);
    return contradictions;
}

static int report(struct options *options, const struct result *result, double seconds,
                  struct assay_error *err)
{
    const struct assay_measuring *measure = result->measure;
    struct assay_emit *emit = &options->common.emit;
    unsigned contradictions = 0, open = 0;
    int code = 0;
    if (options->out && !result->kept && !assay_interrupted)
        code = assay_whole_file(options->out, write_profile, result, err);
    if (options->out && !result->kept && !assay_interrupted)
        assay_interrupt_unwritten(NULL);
    if (code < 0)
        return assay_report_error(err);
    if (options->check) {
        contradictions = report_check(options, result, &open);
    } else if (emit->json) {
        for (size_t i = 0; i < measure->count; i++)
            if (measure->facts[i].wanted)
                assay_emit_object(emit, "assay.profile.key",
                                  assay_measuring_row(measure, &measure->facts[i]));
    } else if (!options->out && !assay_interrupted) {
        write_profile(stdout, result);
    }
    struct assay_printable shown;
    size_t i;
    json_t *candidate;
    json_array_foreach(measure->candidates, i, candidate)
        assay_emit_object(emit, "assay.profile.candidate", json_incref(candidate));
    print_summary(emit->json || (!options->out && !options->check) ? stderr : stdout, options,
                  result, seconds);
    if (result->kept && !assay_interrupted)
        fprintf(stderr, "kept as it was, for time was too short: '%s'\n",
                assay_printable(&shown, options->out));
    if (open)
        fprintf(stderr, "%u promises stay undecided; more trials decide (--trials, --max-time)\n",
                open);
    assay_emit_object(emit, "assay.profile", summary(options, result, seconds));
    if (assay_interrupted)
        return assay_interrupt_end();
    if (contradictions || json_array_size(measure->candidates))
        return ASSAY_EXIT_FINDINGS;
    return measure->out_of_time || open ? ASSAY_EXIT_INCONCLUSIVE : ASSAY_EXIT_CLEAN;
}

/* The name that stands in the profile: as asked for, FILE's without .ini, or the subject's. */
static const char *name_of(const struct options *options, const struct assay_subject_spec *spec)
{
    static char name[32];
    const char *slash = options->out ? strrchr(options->out, '/') : NULL;
    const char *file = slash ? slash + 1 : options->out;
    size_t length = file ? strlen(file) : 0;
    if (options->name)
        return options->name;
    if (length > 4 && strcmp(file + length - 4, ".ini") == 0)
        snprintf(name, sizeof name, "%.*s", (int)(length - 4), file);
    else
        snprintf(name, sizeof name, "%.31s", spec->name);
    return name;
}

/* Where no function has its usual name, the prefix that they have in common is tried. */
static int find_subject(const char *subject, struct assay_subject_names *names,
                        struct assay_subject_spec *ret_spec, struct assay_error *err)
{
    int code = assay_subject_for(subject, names, ret_spec, err);
    if (code == ASSAY_E_SUBJECT && !names->prefix[0] &&
        assay_subject_prefix(subject, names->prefix)) {
        struct assay_printable shown;
        fprintf(stderr, "functions named %smalloc, %sfree, ...\n",
                assay_printable(&shown, names->prefix), shown.text);
        code = assay_subject_for(subject, names, ret_spec, err);
    }
    return code < 0 ? code : assay_subject_probe(ret_spec, err);
}

int assay_cmd_profile(int argc, char **argv)
{
    static struct options options = {
        .max_time_ns = UINT64_C(120000000000), .seed = 1, .runs = 2000, .max_trials = 1000};
    static struct assay_subject_spec spec;
    static struct assay_measuring measure;
    static struct assay_profile_hand hand;
    struct assay_error err = {0};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const char *file;

    options.jobs = processors > 0 && processors < 256 ? (unsigned)processors : 1;
    assay_options_parse(&argp, argc, argv, 0, &options);
    file = options.check ? options.check : options.out ? options.out : "";
    uint64_t start_ns = assay_now_ns();
    if ((options.out && assay_whole_file_ready(options.out, &err) < 0) ||
        assay_profile_hand_read(file, &hand, &err) < 0 ||
        find_subject(options.subject, &hand.profile.names, &spec, &err) < 0)
        return assay_report_error(&err);
    if (options.check && access(options.check, R_OK) != 0)
        return assay_report_error(
            (assay_fail_errno(&err, "cannot read '%s'", options.check), &err));
    if (options.about)
        snprintf(hand.about, sizeof hand.about, "%s", options.about);
    const struct assay_profile_config config = {.spec = &spec,
                                                .subject = options.subject,
                                                .hand = &hand,
                                                .keys = options.some_keys ? options.keys : NULL,
                                                .seed = options.seed,
                                                .max_time_ns = options.max_time_ns,
                                                .max_trials = options.max_trials,
                                                .runs = options.runs,
                                                .jobs = options.jobs,
                                                .quiet = options.common.quiet,
                                                .interrupted = &assay_interrupted};
    assay_catch_interrupts(false);
    assay_interrupt_within(INTERRUPT_S);
    assay_interrupt_unwritten(options.out);
    signal(SIGPIPE, SIG_IGN);
    if (assay_measuring_create(&config, &measure, &err) < 0)
        return assay_report_error(&err);
    struct result result = {&measure, &hand, name_of(&options, &spec), false};
    int code = assay_measuring_run(&measure, &err);
    assay_interrupt_within(0);
    result.kept = measure.out_of_time && options.out && access(options.out, F_OK) == 0;
    code = code < 0 ? assay_report_error(&err)
                    : report(&options, &result, (double)(assay_now_ns() - start_ns) / 1e9, &err);
    assay_measuring_free(&measure);
    assay_profile_hand_free(&hand);
    return code;
}

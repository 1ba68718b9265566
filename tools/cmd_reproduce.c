/* assay reproduce: does the finding show, here and now, on this subject? */
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/finding_dir.h"
#include "tools/human.h"
#include "tools/named_subject.h"
#include "tools/options.h"
#include "tools/output/output.h"
#include "tools/shell.h"
#include "tools/trial.h"
#include "traces/core/printable.h"

enum { KEY_PROFILE = ASSAY_KEY_FIRST, KEY_TRIALS };

struct options {
    struct assay_common common;
    struct assay_output_options output;
    const char *folder, *subject, *profile;
    unsigned trials;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: return assay_output_inputs(state, &options->common, &options->output);
    case 's': options->subject = arg; return 0;
    case KEY_PROFILE: options->profile = arg; return 0;
    case KEY_TRIALS:
        options->trials = (unsigned)assay_option_number(state, "trials", arg, 1, 10000);
        return 0;
    case ARGP_KEY_ARG: return assay_option_single(state, &options->folder, arg, "finding");
    case ARGP_KEY_END:
        if (!options->folder)
            return assay_usage(state, "no finding given");
        return assay_option_not_recorded(state, "subject", options->subject);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option table[] = {
    {"subject", 's', "S", 0, "another subject than the finding's own", 0},
    {"profile", KEY_PROFILE, "FILE", 0,
     "what the subject promises, see assay-profile(5); default: as when found", 0},
    {"trials", KEY_TRIALS, "N", 0,
     "run it N times, each in a fresh child; default: once, and what showed in some runs only "
     "until it shows, as often as that takes",
     0},
    {0}};

static const struct argp argp = {
    .options = table,
    .parser = parse,
    .args_doc = "FINDING",
    .doc = "Runs the program of a finding again, in a fresh child, and judges what it does.\v"
           "Exit: 0 the finding does not show, or shows and is accepted by the profile, 1 it "
           "shows, 2 usage, 3 could not run, 125 the subject "
           "cannot be built or loaded, 130 interrupted.",
    .children = assay_output_children};

/* Runs the trials. Returns 0 or ASSAY_E_*; *ret_last is the last that violated. */
static int run_trials(const struct options *options, const struct assay_finding_dir *dir,
                      const struct assay_subject_spec *spec, const struct assay_profile *profile,
                      unsigned *ret_trials, unsigned *ret_hits, unsigned *ret_others,
                      struct assay_trial_result *ret_last, struct assay_output_run *run,
                      struct assay_error *err)
{
    struct assay_trial *trial;
    const struct assay_trial_config config = {
        .subject = spec,
        .profile = profile,
        .seed = dir->trial_seed ? dir->trial_seed : ASSAY_TRIAL_SEED,
        .property = dir->sought ? assay_property_by_id(dir->property) : 0,
        .environment = dir->environment,
        .max_objects = dir->objects < 65536 ? 65536 : dir->objects};
    unsigned most =
        options->trials ? options->trials : assay_finding_dir_trials(dir->hits, dir->trials);
    int code = assay_trial_create(&config, &trial, err);
    for (unsigned i = 0; i < most && code == 0 && (options->trials || *ret_hits == 0); i++) {
        struct assay_trial_result result;
        code = assay_trial_run(trial, dir->ops, dir->count, true, &result, err);
        ++*ret_trials;
        if (code < 0 || !result.violated)
            continue;
        *ret_last = result;
        if (assay_finding_dir_shows(dir, &result.first))
            ++*ret_hits;
        else
            ++*ret_others;
    }
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT && code == 0; p++) {
        run->judged[p] = assay_trial_judges(trial, p);
        run->evaluations[p] = assay_trial_evaluations(trial, p);
    }
    assay_trial_free(trial);
    return code;
}

/* What the profile accepts is passed over in trials. Once more, and asked for: returns why it is
 * accepted, NULL where it does not show. */
static const char *accepted_reason(const struct options *options,
                                   const struct assay_finding_dir *dir,
                                   const struct assay_subject_spec *spec,
                                   const struct assay_profile *profile,
                                   struct assay_trial_result *ret_last, struct assay_error *err)
{
    static struct assay_profile bare;
    struct assay_output_run unused = {0};
    struct assay_finding_dir sought = *dir;
    unsigned trials = 0, hits = 0, others = 0;
    bare = *profile;
    bare.accepted_count = 0;
    sought.sought = true;
    if (profile->accepted_count == 0 || run_trials(options, &sought, spec, &bare, &trials, &hits,
                                                   &others, ret_last, &unused, err) < 0)
        return NULL;
    return hits ? assay_finding_accepted(&ret_last->first, profile) : NULL;
}

/* What showed, as the finding that it would be. */
static void add_finding(struct assay_output_run *run, const struct options *options,
                        const struct assay_trial_result *last)
{
    char artifact[PATH_MAX];
    char *reproduce = assay_shell_line("assay", "reproduce", options->folder, NULL);
    json_t *finding = assay_finding_json(&last->first, run->subject);
    ASSAY_CHECK(finding && assay_finding_report_json(finding, &last->circumstances) == 0);
    json_object_set_new(finding, "reproduce", assay_emit_string(reproduce));
    snprintf(artifact, sizeof artifact, "%.*s/reproducer.c", PATH_MAX - 16, options->folder);
    assay_output_add(run, finding, artifact);
    free(reproduce);
}

/* Of races another property may stand for the same finding. */
static void tell_hit(FILE *text, const struct assay_trial_result *last, const char *line,
                     const char *property)
{
    struct assay_printable shown;
    fprintf(text, "%s\n", line);
    if (last->first.races && strcmp(property, assay_property_info(last->first.property)->id) != 0)
        fprintf(text,
                "found as %s: of threads that race all damage to memory is one finding, whichever "
                "way it shows first\n",
                assay_printable(&shown, property));
}

static int subject_error(const struct assay_error *err)
{
    int code = assay_report_error(err);
    return code == ASSAY_EXIT_CANNOT_RUN ? ASSAY_EXIT_SUBJECT : code;
}

int assay_cmd_reproduce(int argc, char **argv)
{
    static struct options options;
    static struct assay_finding_dir dir;
    static struct assay_subject_spec spec;
    struct assay_profile profile;
    static struct assay_trial_result last;
    struct assay_output_run run;
    struct assay_error err = {0};
    unsigned trials = 0, hits = 0, others = 0;

    assay_options_parse(&argp, argc, argv, 0, &options);
    assay_output_begin(&run, "reproduce", argc, argv);
    if (assay_output_ready(&options.output, NULL, &err) < 0 ||
        assay_finding_dir_read(options.folder, &dir, &err) < 0)
        return assay_report_error(&err);
    char absolute[PATH_MAX];
    const char *given = options.subject ? options.subject : dir.subject;
    const char *subject = assay_subject_anywhere(given, absolute);
    const char *ini = options.profile                           ? options.profile
                      : dir.profile_path[0] && !options.subject ? dir.profile_path
                                                                : NULL;
    struct assay_error of_subject = {0};
    int code =
        ini ? assay_profile_load(ini, &profile, &err) : assay_profile_find(given, &profile, &err);
    const struct assay_subject_names *names = code == 0 ? &profile.names : NULL;
    if (assay_subject_for(given, names, &spec, &of_subject) < 0 ||
        assay_subject_probe(&spec, &of_subject) < 0) {
        assay_finding_dir_free(&dir);
        return subject_error(&of_subject);
    }
    if (code == 0)
        code =
            run_trials(&options, &dir, &spec, &profile, &trials, &hits, &others, &last, &run, &err);
    const char *accepted = NULL;
    if (code == 0 && hits + others == 0)
        accepted = accepted_reason(&options, &dir, &spec, &profile, &last, &err);
    if (dir.was[0]) {
        struct assay_printable saved;
        fprintf(stderr, "note: saved as %s by an older scheme of fingerprints; it is %s today\n",
                assay_printable(&saved, dir.was), dir.fingerprint);
    }
    struct assay_human ops;
    assay_human_ops(&ops, dir.count, assay_finding_dir_repeats(dir.ops, dir.count));
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    memcpy(fingerprint, dir.fingerprint, sizeof fingerprint);
    char property[sizeof dir.property];
    memcpy(property, dir.property, sizeof property);
    assay_finding_dir_free(&dir);
    if (code < 0)
        return code == ASSAY_E_SUBJECT ? subject_error(&err) : assay_report_error(&err);

    FILE *text = assay_emit_text(&options.common.emit);
    char line[512] = "";
    struct assay_printable shown[2], why;
    if (hits + others || accepted)
        assay_finding_line(line, sizeof line, &last.first);
    fprintf(text, accepted ? "%s %s on %s\n" : "%s %s on %s: %u of %u trial%s, %s\n",
            assay_printable(&shown[0], fingerprint),
            hits       ? "reproduced"
            : accepted ? "shows and is accepted"
                       : "not reproduced",
            assay_printable(&shown[1], subject), hits, trials, trials == 1 ? "" : "s", ops.text);
    if (hits)
        tell_hit(text, &last, line, property);
    else if (accepted)
        fprintf(text, "%s\naccepted by the profile: %s\n", line, assay_printable(&why, accepted));
    else if (others)
        fprintf(text, "another violation showed instead: %s\n", line);
    if (hits)
        assay_crash_site_text(text, &last.circumstances.site);
    assay_emit_object(&options.common.emit, "assay.reproduce",
                      json_pack("{s:s, s:o, s:b, s:o, s:i, s:i, s:i}", "fingerprint", fingerprint,
                                "subject", assay_emit_string(subject), "reproduced", hits > 0,
                                "accepted", accepted ? assay_emit_string(accepted) : json_null(),
                                "hits", (int)hits, "others", (int)others, "trials", (int)trials));
    run.subject = subject;
    run.missing_apis = spec.missing_apis;
    run.exit_code = hits ? ASSAY_EXIT_FINDINGS : ASSAY_EXIT_CLEAN;
    if (hits + others)
        add_finding(&run, &options, &last);
    code = assay_output_write(&options.output, &run, &err);
    assay_output_free(&run);
    return code < 0 ? assay_report_error(&err) : run.exit_code;
}

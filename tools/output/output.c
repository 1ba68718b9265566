#include "tools/output/output.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "oracles/crash_site.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/whole_file.h"
#include "traces/core/clock.h"
#include "traces/core/printable.h"

enum { KEY_SARIF = ASSAY_KEY_JSON + 1, KEY_JUNIT };

static const struct argp_option table[] = {
    {"sarif", KEY_SARIF, "FILE", 0, "write the findings as SARIF 2.1.0, for code scanning", 0},
    {"junit", KEY_JUNIT, "FILE", 0, "write one test case per property as JUnit XML", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct assay_output_options *options = state->input;
    switch (key) {
    case KEY_SARIF: options->sarif = arg; return 0;
    case KEY_JUNIT: options->junit = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp output_argp = {table, parse, NULL, NULL, NULL, NULL, NULL};

static error_t hand_on(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->input;
    return 0;
}

/* What all commands share, as one child of several. */
static const struct argp common_argp = {.parser = hand_on, .children = assay_common_children};

const struct argp_child assay_output_children[] = {
    {&common_argp, 0, NULL, 0}, {&output_argp, 0, NULL, 0}, {0}};

static const struct argp progress_argp = {.parser = hand_on, .children = assay_progress_children};

const struct argp_child assay_output_progress_children[] = {
    {&progress_argp, 0, NULL, 0}, {&output_argp, 0, NULL, 0}, {0}};

error_t assay_output_inputs(struct argp_state *state, struct assay_common *common,
                            struct assay_output_options *output)
{
    state->child_inputs[0] = common;
    state->child_inputs[1] = output;
    return 0;
}

void assay_output_begin(struct assay_output_run *run, const char *command, int argc, char **argv)
{
    *run = (struct assay_output_run){
        .command = command, .argc = argc, .argv = argv, .start_ns = assay_clock_ns(CLOCK_REALTIME)};
}

void assay_output_add(struct assay_output_run *run, json_t *finding, const char *artifact)
{
    struct assay_output_finding *grown =
        realloc(run->findings, (run->count + 1) * sizeof *run->findings);
    ASSAY_CHECK(grown && finding);
    run->findings = grown;
    run->findings[run->count] = (struct assay_output_finding){.object = finding};
    if (artifact) {
        run->findings[run->count].artifact = strdup(artifact);
        ASSAY_CHECK(run->findings[run->count].artifact);
    }
    run->count++;
}

void assay_output_doubt(struct assay_output_run *run, unsigned property, const char *text)
{
    struct assay_output_doubt *grown =
        realloc(run->doubts, (run->doubt_count + 1) * sizeof *run->doubts);
    ASSAY_CHECK(grown);
    run->doubts = grown;
    run->doubts[run->doubt_count] =
        (struct assay_output_doubt){.property = property, .text = strdup(text)};
    ASSAY_CHECK(run->doubts[run->doubt_count].text);
    run->doubt_count++;
}

void assay_output_free(struct assay_output_run *run)
{
    for (size_t i = 0; i < run->doubt_count; i++)
        free(run->doubts[i].text);
    free(run->doubts);
    run->doubts = NULL;
    run->doubt_count = 0;
    for (size_t i = 0; i < run->count; i++) {
        json_decref(run->findings[i].object);
        free(run->findings[i].artifact);
    }
    free(run->findings);
    run->findings = NULL;
    run->count = 0;
}

const char *assay_output_reason(const json_t *finding)
{
    const char *reason = json_string_value(json_object_get(finding, "suppressed"));
    return reason ? reason : json_string_value(json_object_get(finding, "accepted"));
}

void assay_output_time(char *ret_text, size_t bytes, uint64_t ns, bool bare)
{
    struct tm tm;
    time_t seconds = (time_t)(ns / 1000000000u);
    if (!gmtime_r(&seconds, &tm) ||
        strftime(ret_text, bytes, bare ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(ret_text, bytes, "1970-01-01T00:00:00%s", bare ? "" : "Z");
}

static void put_names(char *ret_text, size_t bytes, uint64_t bits, const char *(*name)(unsigned))
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (unsigned bit = 0; bit < 64 && used < bytes; bit++)
        if (bits >> bit & 1)
            used += (size_t)snprintf(ret_text + used, bytes - used, "%s%s", used ? ", " : "",
                                     name(bit));
}

static const char *function_name(unsigned kind)
{
    return assay_op_info(kind)->name;
}

void assay_output_needs(char *ret_text, size_t bytes, unsigned property)
{
    put_names(ret_text, bytes, assay_property_info(property)->needs, assay_has_name);
}

/* What the stream lacks: no judged row shows that it is there. */
static uint64_t lacked(const struct assay_output_run *run, unsigned property)
{
    uint64_t needs = assay_property_info(property)->needs;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        if (run->judged[p])
            needs &= ~assay_property_info(p)->needs;
    return needs;
}

void assay_output_why(char *ret_text, size_t bytes, const struct assay_output_run *run,
                      unsigned property)
{
    char names[200];
    uint64_t apis = assay_judge_lacking(property, run->missing_apis);
    uint64_t needs = lacked(run, property);
    bool promise = property == ASSAY_PROPERTY_C09 || property == ASSAY_PROPERTY_C36 ||
                   property == ASSAY_PROPERTY_C37;
    if (run->why[property]) {
        snprintf(ret_text, bytes, "%s", run->why[property]);
    } else if (assay_property_info(property)->severity == ASSAY_SEVERITY_PROGRAM) {
        snprintf(ret_text, bytes, "it is about the program that made the calls%s",
                 property == ASSAY_PROPERTY_T05 ? ", and judged with --leaks" : "");
    } else if (apis) {
        put_names(names, sizeof names, apis, function_name);
        snprintf(ret_text, bytes, "the subject has no %s", names);
    } else if (needs) {
        put_names(names, sizeof names, needs, assay_has_name);
        snprintf(ret_text, bytes, "it needs %s", names);
    } else {
        snprintf(ret_text, bytes, "%s",
                 promise ? "the profile does not promise it" : "no call of this run is about it");
    }
}

/* ---- summaries ---- */

json_t *assay_output_clusters(const struct assay_output_run *run)
{
    json_t *clusters = json_object();
    for (size_t i = 0; i < run->count; i++) {
        const json_t *finding = run->findings[i].object;
        const char *name = json_string_value(json_object_get(finding, "crash_class"));
        if (!name || assay_output_reason(finding))
            continue;
        if (!json_object_get(clusters, name))
            ASSAY_CHECK(json_object_set_new(clusters, name, json_array()) == 0);
        ASSAY_CHECK(json_array_append(json_object_get(clusters, name),
                                      json_object_get(finding, "fingerprint")) == 0);
    }
    ASSAY_CHECK(clusters);
    return clusters;
}

void assay_output_print_clusters(FILE *out, const struct assay_output_run *run)
{
    json_t *clusters = assay_output_clusters(run);
    for (unsigned c = 1; c < ASSAY_CRASH_CLASS_COUNT; c++) {
        const json_t *list = json_object_get(clusters, assay_crash_class_name(c));
        if (!list)
            continue;
        fprintf(out, "crashes, %s (%s): %zu kind%s:", assay_crash_class_name(c),
                assay_crash_class_words(c), json_array_size(list),
                json_array_size(list) == 1 ? "" : "s");
        for (size_t i = 0; i < json_array_size(list); i++)
            fprintf(out, " %s", json_string_value(json_array_get(list, i)));
        fputc('\n', out);
    }
    json_decref(clusters);
}

json_t *assay_output_unused(const struct assay_suppressions *suppressions, const char *path)
{
    struct assay_printable shown[2];
    json_t *list = json_array();
    for (size_t i = 0; suppressions && i < assay_suppressions_count(suppressions); i++) {
        const struct assay_suppression *line = assay_suppressions_get(suppressions, i);
        if (line->used && line->today[0])
            fprintf(stderr,
                    "assay: note: %s:%u: by an older scheme of fingerprints; it is %s today\n",
                    assay_printable(&shown[0], path), line->line, line->today);
        if (line->used)
            continue;
        fprintf(stderr, "assay: warning: %s:%u: suppresses nothing: %s%s%s\n",
                assay_printable(&shown[0], path), line->line,
                assay_printable(&shown[1], line->text), line->nearest[0] ? "; the nearest is " : "",
                line->nearest);
        ASSAY_CHECK(json_array_append_new(list, assay_emit_string(line->text)) == 0);
    }
    ASSAY_CHECK(list);
    return list;
}

/* ---- files ---- */

static void print_sarif(FILE *out, const void *run)
{
    json_t *log = assay_sarif_make(run);
    ASSAY_CHECK(log);
    json_dumpf(log, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
    fputc('\n', out);
    json_decref(log);
}

static void print_junit(FILE *out, const void *run)
{
    assay_junit_print(out, run);
}

/* path is right in a folder that is not there yet and will be made. */
static bool in_folder_to_be(const char *path, const char *folder)
{
    size_t length = folder ? strlen(folder) : 0;
    while (length > 1 && folder[length - 1] == '/')
        length--;
    return length > 0 && access(folder, F_OK) != 0 && strncmp(path, folder, length) == 0 &&
           path[length] == '/' && path[length + 1] && !strchr(path + length + 1, '/');
}

int assay_output_ready(const struct assay_output_options *options, const char *folder,
                       struct assay_error *err)
{
    const char *const paths[] = {options->sarif, options->junit};
    int code = 0;
    for (size_t i = 0; i < 2 && code == 0; i++)
        if (paths[i] && !in_folder_to_be(paths[i], folder))
            code = assay_whole_file_ready(paths[i], err);
    return code;
}

int assay_output_write(const struct assay_output_options *options, struct assay_output_run *run,
                       struct assay_error *err)
{
    int code = 0;
    run->end_ns = assay_clock_ns(CLOCK_REALTIME);
    if (run->exit_code == ASSAY_EXIT_INCONCLUSIVE && run->doubt_count == 0)
        assay_output_doubt(run, ASSAY_PROPERTY_NONE,
                           "the run is inconclusive: nothing ran, or something had no occasion");
    if (options->sarif)
        code = assay_whole_file(options->sarif, print_sarif, run, err);
    if (code == 0 && options->junit)
        code = assay_whole_file(options->junit, print_junit, run, err);
    return code;
}

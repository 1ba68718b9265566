/* assay selftest: what the judges are worth, on allocators that are known to be broken. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracles/misuse/misuse.h"
#include "tools/command.h"
#include "tools/fuzz.h"
#include "tools/interrupt.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/selftest.h"
#include "traces/core/clock.h"

enum { KEY_TIME = ASSAY_KEY_FIRST, KEY_SEED, KEY_ZOO };

struct options {
    struct assay_common common;
    const char *zoo, *out;
    uint64_t max_cpu_ns, seed;
    unsigned jobs;
    char **names; /* subjects or groups; of argv */
    size_t name_count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
    case 'j': options->jobs = (unsigned)assay_option_number(state, "jobs", arg, 1, 256); return 0;
    case KEY_TIME:
        options->max_cpu_ns = assay_option_duration(state, "max-time", arg);
        return options->max_cpu_ns ? 0 : assay_usage(state, "--max-time: more than 0 is needed");
    case KEY_SEED: options->seed = assay_option_number(state, "seed", arg, 0, INT64_MAX); return 0;
    case KEY_ZOO: options->zoo = arg; return 0;
    case 'o': options->out = arg; return 0;
    case ARGP_KEY_ARGS:
        options->names = state->argv + state->next;
        options->name_count = (size_t)(state->argc - state->next);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option table[] = {
    {"max-time", KEY_TIME, "TIME", 0,
     "give up on a subject after TIME of CPU (default 5s), or the longer time that its .ini asks "
     "for",
     0},
    {"jobs", 'j', "N", 0, "so many subjects at a time (default: one per processor)", 0},
    {"seed", KEY_SEED, "N", 0, "programs follow from it (default 1)", 0},
    {"out", 'o', "DIR", 0,
     "a finding that was not expected is kept in DIR/SUBJECT (default: assay-selftest)", 0},
    {"zoo", KEY_ZOO, "DIR", 0, "broken allocators of your own: libNAME.so beside NAME.ini", 0},
    {0}};

static const struct argp argp = {
    .options = table,
    .parser = parse,
    .args_doc = "[SUBJECT...]",
    .doc = "Fuzzes the allocators that are broken on purpose, or tries what they promise, until "
           "each is noticed, and the "
           "correct ones beside them, and prints the score of the judges. SUBJECT is a name, or "
           "one of the groups zoo, mutants, allocators; without one, all.\v"
           "Exit: 0 all as expected, 1 something got by, or was accused, 2 usage, 3 could not run, "
           "130 interrupted.",
    .children = assay_progress_children};

/* ---- the subjects -----------------------------------------------------------------------------
 */

static int scan_beside(struct assay_selftest_list *list, const char *group, struct assay_error *err)
{
    static const char *const places[] = {"../lib", "../lib/assay"};
    char self[PATH_MAX], folder[PATH_MAX + 64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return assay_fail_errno(err, "cannot read '/proc/self/exe'");
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t before = list->count;
        snprintf(folder, sizeof folder, "%s/%s/%s", self, places[i], group);
        int code = assay_selftest_scan(list, folder, group, err);
        if (code < 0 || list->count > before)
            return code;
    }
    return 0;
}

static int find_all(const struct options *options, struct assay_selftest_list *list,
                    struct assay_error *err)
{
    static const char *const known[] = {ASSAY_BULWARK_NAMES, "glibc",    "jemalloc",
                                        "mimalloc",          "tcmalloc", "scudo"};
    static struct assay_subject_spec spec;
    int code;
    if (options->zoo) {
        code = assay_selftest_scan(list, options->zoo, "zoo", err);
        if (code == 0 && list->count == 0)
            return assay_fail(err, ASSAY_E_NOT_FOUND, "'%s' holds no NAME.ini beside a libNAME.so",
                              options->zoo);
        return code;
    }
    code = scan_beside(list, "zoo", err);
    if (code == 0)
        code = scan_beside(list, "mutants", err);
    for (size_t i = 0; i < sizeof known / sizeof *known && code == 0; i++) {
        struct assay_error missing;
        if (assay_subject_find(known[i], &spec, &missing) == 0)
            code = assay_selftest_add_correct(list, known[i], err);
    }
    return code;
}

static bool wanted(const struct options *options, const struct assay_selftest_subject *subject,
                   bool *used)
{
    bool is = options->name_count == 0;
    for (size_t i = 0; i < options->name_count; i++)
        if (strcmp(options->names[i], subject->name) == 0 ||
            strcmp(options->names[i], subject->group) == 0)
            is = used[i] = true;
    return is;
}

static int select_subjects(const struct options *options, struct assay_selftest_list *list,
                           struct assay_error *err)
{
    bool *used = calloc(options->name_count + 1, sizeof *used);
    size_t kept = 0;
    int code = 0;
    if (!used)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    for (size_t i = 0; i < list->count; i++)
        if (wanted(options, &list->subjects[i], used))
            list->subjects[kept++] = list->subjects[i];
    list->count = kept;
    for (size_t i = 0; i < options->name_count && code == 0; i++)
        if (!used[i])
            code = assay_fail(err, ASSAY_E_USAGE, "there is no subject or group '%s' here",
                              options->names[i]);
    free(used);
    if (code == 0 && kept == 0)
        code = assay_fail(err, ASSAY_E_NOT_FOUND,
                          "no zoo and no mutants beside the program; name a folder with --zoo");
    return code;
}

/* ---- the score --------------------------------------------------------------------------------
 */

struct score {
    unsigned verdicts[ASSAY_SELFTEST_VERDICTS];
    unsigned killed[ASSAY_CATALOGUE_COUNT], survived[ASSAY_CATALOGUE_COUNT];
    double median_cpu_s, slowest_cpu_s;
    const char *slowest;
    double seconds;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void take_score(const struct assay_selftest_list *list,
                       const struct assay_selftest_result *results, struct score *score)
{
    double *times = calloc(list->count + 1, sizeof *times);
    size_t kills = 0;
    ASSAY_CHECK(times);
    for (size_t i = 0; i < list->count; i++) {
        const struct assay_selftest_subject *subject = &list->subjects[i];
        enum assay_selftest_verdict verdict = assay_selftest_judge(subject, &results[i]);
        score->verdicts[verdict]++;
        if (verdict == ASSAY_SELFTEST_SURVIVED || verdict == ASSAY_SELFTEST_MISTAKEN)
            score->survived[subject->first_expected]++;
        if (verdict != ASSAY_SELFTEST_KILLED)
            continue;
        score->killed[assay_selftest_property(&results[i])]++;
        times[kills++] = results[i].cpu_seconds;
        if (results[i].cpu_seconds <= score->slowest_cpu_s)
            continue;
        score->slowest_cpu_s = results[i].cpu_seconds;
        score->slowest = subject->name;
    }
    qsort(times, kills, sizeof *times, by_value);
    if (kills)
        score->median_cpu_s = (times[(kills - 1) / 2] + times[kills / 2]) / 2;
    free(times);
}

static json_t *expected_names(const bool *expected)
{
    json_t *names = json_array();
    for (unsigned p = 1; p < ASSAY_CATALOGUE_COUNT; p++)
        if (expected[p])
            json_array_append_new(names, json_string(assay_property_info(p)->id));
    return names;
}

static json_t *note_of(const struct assay_selftest_subject *subject,
                       const struct assay_selftest_result *result)
{
    char line[512];
    if (result->err.code)
        return assay_emit_string(result->err.text);
    if (result->contradicted)
        return assay_emit_string(result->contradiction);
    if (result->found) {
        assay_finding_line(line, sizeof line, &result->violation);
        return assay_emit_string(line);
    }
    if (result->unreached && assay_selftest_judge(subject, result) == ASSAY_SELFTEST_SURVIVED) {
        snprintf(line, sizeof line,
                 "%zu of %zu directed programs had no time: a longer --max-time may kill it",
                 result->unreached, result->directed);
        return assay_emit_string(line);
    }
    return assay_emit_string(subject->survives[0] ? subject->survives : NULL);
}

/* all: also those that were not reached, as after an interruption. */
static json_t *rows_of(const struct assay_selftest_list *list,
                       const struct assay_selftest_result *results, bool all)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const struct assay_selftest_subject *subject = &list->subjects[i];
        const struct assay_selftest_result *result = &results[i];
        unsigned p = assay_selftest_property(result);
        bool judged = p && !result->contradicted;
        if (!all && !result->err.code &&
            assay_selftest_judge(subject, result) == ASSAY_SELFTEST_NOT_RUN)
            continue;
        json_t *row = json_pack(
            "{s:o, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:f, s:f, s:o, s:o}", "subject",
            assay_emit_string(subject->name), "group", subject->group, "verdict",
            assay_selftest_verdict_name(assay_selftest_judge(subject, result)), "expected",
            expected_names(subject->expected), "property",
            p ? json_string(assay_property_info(p)->id) : json_null(), "op",
            judged ? json_string(assay_op_info(result->violation.kind)->name) : json_null(),
            "programs", (json_int_t)result->programs, "trials", (json_int_t)result->trials, "cpu_s",
            result->cpu_seconds, "seconds", result->seconds, "note", note_of(subject, result),
            "folder", assay_emit_string(result->folder[0] ? result->folder : NULL));
        ASSAY_CHECK(row && json_array_append_new(rows, row) == 0);
    }
    return rows;
}

/* True of a row that is answered by a model alone: no allocator can keep or break it. */
static bool is_of_a_model(unsigned property)
{
    const struct assay_misuse_info *rows;
    size_t n = assay_misuse_list(&rows);
    bool model = false;
    for (size_t i = 0; i < n; i++)
        if (rows[i].row == (enum assay_property)property) {
            model = rows[i].flags & ASSAY_MISUSE_MODEL;
            if (!model)
                return false;
        }
    return model;
}

/* Rows for which no subject stood: ids in ret_idle and, where none can, in ret_models; where these
 * are NULL, rows like the others. */
static json_t *property_rows(const struct score *score, json_t *ret_idle, json_t *ret_models)
{
    json_t *rows = json_array();
    for (unsigned p = 1; p < ASSAY_CATALOGUE_COUNT; p++) {
        const struct assay_property_info *info = assay_property_info(p);
        if (p >= ASSAY_PROPERTY_COUNT && info->id[0] != 'S')
            continue; /* of programs, not of allocators */
        if (ret_idle && score->killed[p] + score->survived[p] == 0) {
            if (info->severity != ASSAY_SEVERITY_PROGRAM)
                json_array_append_new(is_of_a_model(p) ? ret_models : ret_idle,
                                      json_string(info->id));
            continue;
        }
        json_t *row = json_pack("{s:s, s:i, s:i, s:b, s:s}", "property", info->id, "killed",
                                (int)score->killed[p], "survived", (int)score->survived[p], "model",
                                is_of_a_model(p), "statement", info->statement);
        ASSAY_CHECK(row && json_array_append_new(rows, row) == 0);
    }
    return rows;
}

static json_t *summary_of(const struct options *options, const struct score *score)
{
    const unsigned *n = score->verdicts;
    json_t *object = json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:s?, s:f, s:I}", "killed",
        (int)n[ASSAY_SELFTEST_KILLED], "misjudged", (int)n[ASSAY_SELFTEST_MISTAKEN], "survived",
        (int)n[ASSAY_SELFTEST_SURVIVED], "let_live", (int)n[ASSAY_SELFTEST_LET_LIVE], "clean",
        (int)n[ASSAY_SELFTEST_CLEAN], "false_alarms", (int)n[ASSAY_SELFTEST_FALSE_ALARM], "unsure",
        (int)n[ASSAY_SELFTEST_UNSURE], "not_run", (int)n[ASSAY_SELFTEST_NOT_RUN], "median_cpu_s",
        score->median_cpu_s, "slowest_cpu_s", score->slowest_cpu_s, "slowest", score->slowest,
        "seconds", score->seconds, "seed", (json_int_t)options->seed);
    ASSAY_CHECK(object);
    return object;
}

static void print_summary(FILE *out, const struct score *score)
{
    const unsigned *n = score->verdicts;
    unsigned broken = n[ASSAY_SELFTEST_KILLED] + n[ASSAY_SELFTEST_MISTAKEN] +
                      n[ASSAY_SELFTEST_SURVIVED] + n[ASSAY_SELFTEST_LET_LIVE];
    unsigned correct =
        n[ASSAY_SELFTEST_CLEAN] + n[ASSAY_SELFTEST_FALSE_ALARM] + n[ASSAY_SELFTEST_UNSURE];
    fputc('\n', out);
    if (broken)
        fprintf(out,
                "%u of %u broken allocators killed as expected, %u misjudged; %u survived, %u let "
                "live\n",
                n[ASSAY_SELFTEST_KILLED], broken, n[ASSAY_SELFTEST_MISTAKEN],
                n[ASSAY_SELFTEST_SURVIVED], n[ASSAY_SELFTEST_LET_LIVE]);
    if (score->slowest)
        fprintf(out, "CPU seconds to a kill: median %.2f, longest %.2f (%s)\n", score->median_cpu_s,
                score->slowest_cpu_s, score->slowest);
    if (correct)
        fprintf(out, "%u of %u correct allocators without a false alarm",
                correct - n[ASSAY_SELFTEST_FALSE_ALARM], correct);
    if (n[ASSAY_SELFTEST_UNSURE])
        fprintf(out, ", %u of them with suspicions that did not come back",
                n[ASSAY_SELFTEST_UNSURE]);
    if (correct)
        fputc('\n', out);
    if (n[ASSAY_SELFTEST_NOT_RUN])
        fprintf(out, "%u not run to the end\n", n[ASSAY_SELFTEST_NOT_RUN]);
}

static void print_ids(const char *title, const json_t *ids)
{
    size_t i;
    const json_t *id;
    if (json_array_size(ids) == 0)
        return;
    fputs(title, stdout);
    json_array_foreach(ids, i, id) printf(" %s", json_string_value(id));
    putchar('\n');
}

/* Whole, for whoever sees nothing but what a run on another machine printed. */
static void print_report(const char *folder)
{
    char path[PATH_MAX + 16], line[512];
    snprintf(path, sizeof path, "%s/report.txt", folder);
    FILE *report = fopen(path, "re");
    while (report && fgets(line, sizeof line, report))
        fputs(line, stdout);
    if (report)
        fclose(report);
}

static void print_bad(const struct assay_selftest_list *list,
                      const struct assay_selftest_result *results)
{
    for (size_t i = 0; i < list->count; i++) {
        enum assay_selftest_verdict verdict = assay_selftest_judge(&list->subjects[i], &results[i]);
        if (!assay_selftest_is_bad(verdict) ||
            (verdict == ASSAY_SELFTEST_NOT_RUN && !results[i].err.code))
            continue;
        json_t *note = note_of(&list->subjects[i], &results[i]);
        printf("\n%s: %s%s%s\n", list->subjects[i].name, assay_selftest_verdict_name(verdict),
               json_is_string(note) ? ": " : "",
               json_is_string(note) ? json_string_value(note) : "");
        json_decref(note);
        if (results[i].folder[0])
            print_report(results[i].folder);
    }
}

static void print(const struct options *options, const struct assay_selftest_list *list,
                  const struct assay_selftest_result *results, const struct score *score)
{
    static const struct assay_emit_field subject_fields[] = {
        {"subject", "subject", ASSAY_EMIT_PLAIN}, {"expected", "expected", ASSAY_EMIT_PLAIN},
        {"verdict", "verdict", ASSAY_EMIT_PLAIN}, {"cpu_s", "CPU s", ASSAY_EMIT_DECIMAL},
        {"note", "by, or why", ASSAY_EMIT_PLAIN}, {0}};
    static const struct assay_emit_field property_fields[] = {
        {"property", "property", ASSAY_EMIT_PLAIN},
        {"killed", "killed", ASSAY_EMIT_PLAIN},
        {"survived", "survived", ASSAY_EMIT_PLAIN},
        {"statement", "statement", ASSAY_EMIT_PLAIN},
        {0}};
    struct assay_emit emit = options->common.emit;
    assay_emit_table(&emit, "assay.selftest.subject", subject_fields,
                     rows_of(list, results, emit.json));
    if (!emit.json)
        putchar('\n');
    json_t *idle = emit.json ? NULL : json_array(), *models = emit.json ? NULL : json_array();
    assay_emit_table(&emit, "assay.selftest.property", property_fields,
                     property_rows(score, idle, models));
    print_ids("rows without a kill or a survivor:", idle);
    print_ids("rows of a model, which no allocator can break:", models);
    json_decref(idle);
    json_decref(models);
    print_summary(assay_emit_text(&emit), score);
    if (!emit.json)
        print_bad(list, results);
    assay_emit_object(&emit, "assay.selftest", summary_of(options, score));
}

static void show_progress(void *self, size_t done, const char *running)
{
    assay_progress_update(self, done, running);
}

static int exit_code(const struct score *score)
{
    if (assay_interrupted)
        return ASSAY_EXIT_INTERRUPTED;
    if (score->verdicts[ASSAY_SELFTEST_NOT_RUN])
        return ASSAY_EXIT_CANNOT_RUN;
    for (unsigned v = 0; v < ASSAY_SELFTEST_VERDICTS; v++)
        if (score->verdicts[v] && assay_selftest_is_bad(v))
            return ASSAY_EXIT_FINDINGS;
    return ASSAY_EXIT_CLEAN;
}

/* What is printed of it leads there from any folder. */
static int folder_of(const char *out, char ret_folder[PATH_MAX], struct assay_error *err)
{
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here))
        return assay_fail_errno(err, "cannot tell the current folder");
    int n = out[0] == '/' ? snprintf(ret_folder, PATH_MAX, "%s", out)
                          : snprintf(ret_folder, PATH_MAX, "%s/%s", here, out);
    return n < 0 || n >= PATH_MAX
               ? assay_fail(err, ASSAY_E_USAGE, "the name of the output folder is too long")
               : 0;
}

int assay_cmd_selftest(int argc, char **argv)
{
    static struct options options = {
        .max_cpu_ns = UINT64_C(5000000000), .seed = 1, .out = "assay-selftest"};
    char folder[PATH_MAX];
    struct assay_selftest_list list = {0};
    struct assay_selftest_result *results = NULL;
    struct assay_progress progress;
    struct assay_error err = {0};
    struct score score = {0};

    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    options.jobs = processors < 1 ? 1 : processors > 256 ? 256 : (unsigned)processors;
    assay_options_parse(&argp, argc, argv, 0, &options);
    int code = folder_of(options.out, folder, &err);
    if (code == 0)
        code = find_all(&options, &list, &err);
    if (code == 0)
        code = select_subjects(&options, &list, &err);
    if (code < 0) {
        assay_selftest_list_free(&list);
        return assay_report_error(&err);
    }
    results = calloc(list.count, sizeof *results);
    ASSAY_CHECK(results);
    assay_catch_interrupts(false);
    signal(SIGPIPE, SIG_IGN);
    uint64_t start_ns = assay_now_ns();
    const struct assay_selftest_config config = {.max_cpu_ns = options.max_cpu_ns,
                                                 .seed = options.seed,
                                                 .jobs = options.jobs,
                                                 .folder = folder,
                                                 .interrupted = &assay_interrupted,
                                                 .self = &progress,
                                                 .progress = show_progress};
    assay_progress_begin(&progress, "selftest", "subjects", list.count, 0, options.common.quiet);
    code = assay_selftest_run(list.subjects, list.count, &config, results, &err);
    assay_progress_end(&progress);
    score.seconds = (double)(assay_now_ns() - start_ns) / 1e9;
    if (code == 0) {
        take_score(&list, results, &score);
        print(&options, &list, results, &score);
    }
    free(results);
    assay_selftest_list_free(&list);
    return code < 0 ? assay_report_error(&err) : exit_code(&score);
}

/* assay matrix: what each misuse of an allocator brings about, by trials, subjects side by side. */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/matrix.h"
#include "tools/named_subject.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/whole_file.h"
#include "traces/core/clock.h"

enum {
    KEY_ROWS = ASSAY_KEY_FIRST,
    KEY_TIME,
    KEY_SEED,
    KEY_SIZE,
    KEY_TRIALS,
    KEY_PROFILE,
    KEY_PROMISED,
    KEY_HTML
};

struct options {
    struct assay_common common;
    char *subjects[ASSAY_MATRIX_SUBJECTS];
    size_t subject_count;
    bool rows[ASSAY_CATALOGUE_COUNT], some_rows, seeded, promised;
    uint64_t max_time_ns, seed, size, max_trials;
    unsigned jobs;
    const char *profile, *html;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static error_t add_subject(struct argp_state *state, struct options *options, char *text)
{
    if (options->subject_count == ASSAY_MATRIX_SUBJECTS)
        return assay_usage(state, "--subject: at most %d subjects", ASSAY_MATRIX_SUBJECTS);
    options->subjects[options->subject_count++] = text;
    return 0;
}

/* A list of subjects; a file whose name has commas is one, and so is tags:GRANULE,BITS. */
static error_t add_subjects(struct argp_state *state, struct options *options, char *arg)
{
    if (access(arg, F_OK) == 0)
        return add_subject(state, options, arg);
    while (arg) {
        char *word = arg, *comma = strchr(arg, ',');
        if (comma && strncmp(word, "tags:", 5) == 0)
            comma = strchr(comma + 1, ',');
        if (comma)
            *comma = '\0';
        arg = comma ? comma + 1 : NULL;
        if (word[0] == '\0')
            return assay_usage(state, "--subject: '' is no subject");
        add_subject(state, options, word);
    }
    return 0;
}

static error_t add_rows(struct argp_state *state, struct options *options, char *arg)
{
    char *rest = NULL;
    unsigned count = 0;
    for (char *word = strtok_r(arg, ",", &rest); word; word = strtok_r(NULL, ",", &rest), count++) {
        unsigned property = assay_property_by_id(word);
        if (property == ASSAY_PROPERTY_NONE || assay_property_info(property)->id[0] != 'S')
            return assay_usage(state, "--rows: '%.20s' is no row of S01 to S30", word);
        options->rows[property] = true;
    }
    if (count == 0)
        return assay_usage(state, "--rows: no row is named");
    options->some_rows = true;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    enum { SIZE_MIN = 32, SIZE_MAX_BYTES = 1024 };
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
    case 's': return add_subjects(state, options, arg);
    case 'j': options->jobs = (unsigned)assay_option_number(state, "jobs", arg, 1, 256); return 0;
    case KEY_ROWS: return add_rows(state, options, arg);
    case KEY_TIME: options->max_time_ns = assay_option_duration(state, "max-time", arg); return 0;
    case KEY_SEED:
        options->seed = assay_option_number(state, "seed", arg, 0, INT64_MAX);
        options->seeded = true;
        return 0;
    case KEY_SIZE:
        options->size = assay_option_number(state, "size", arg, SIZE_MIN, SIZE_MAX_BYTES);
        if (options->size % 8)
            return assay_usage(state, "--size: %" PRIu64 " is not a multiple of 8", options->size);
        return 0;
    case KEY_TRIALS:
        options->max_trials = assay_option_number(state, "trials", arg, 1, INT32_MAX);
        return 0;
    case KEY_PROFILE: options->profile = arg; return 0;
    case KEY_PROMISED: options->promised = true; return 0;
    case KEY_HTML: options->html = arg; return 0;
    case ARGP_KEY_ARG:
        return assay_usage(state, "'%s' is one word too many: --subject names the allocator", arg);
    case ARGP_KEY_END:
        if (options->profile && options->subject_count > 1)
            return assay_usage(state, "--profile is for one subject");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option table[] = {
    {"subject", 's', "S[,S...]", 0,
     "bulwark (default), glibc, jemalloc, mimalloc, tcmalloc, scudo, a path, adapter:FILE.c, or "
     "tags:GRANULE,BITS, a model of memory tags; may be given again",
     0},
    {"rows", KEY_ROWS, "LIST", 0, "only these rows, as in S01,S06", 0},
    {"promised", KEY_PROMISED, NULL, 0,
     "only what the profiles promise, until it is told whether they keep it", 0},
    {"max-time", KEY_TIME, "TIME", 0, "stop after TIME (default 10m)", 0},
    {"trials", KEY_TRIALS, "N", 0, "at most N trials of a variant (default 1000)", 0},
    {"size", KEY_SIZE, "BYTES", 0, "of the objects that are misused (default 40)", 0},
    {"seed", KEY_SEED, "N", 0,
     "what the programs draw follows from it; layout and keys stay the system's", 0},
    {"jobs", 'j', "N", 0, "so many children at a time (default: one per processor)", 0},
    {"profile", KEY_PROFILE, "FILE", 0, "what the subject promises; default: the shipped one", 0},
    {"html", KEY_HTML, "FILE", 0, "write the matrix as a page that asks for nothing else", 0},
    {0}};

static const struct argp argp = {
    .options = table,
    .parser = parse,
    .doc =
        "Injects every misuse of S01 to S30, many times, each time in a new process, and tells "
        "whether it was noticed, was without effect, or had one.\v"
        "Exit: 0 as the profiles promise, 1 a verdict contradicts one, 2 usage, 3 could not run, 4 "
        "time was up before a promise was decided, or nothing could be judged, 130 interrupted.",
    .children = assay_progress_children};

/* ---- text ----------------------------------------------------------------------------------- */

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static bool is_listed(const json_t *list, const char *id)
{
    size_t i;
    const json_t *value;
    json_array_foreach(list, i, value) if (strcmp(json_string_value(value), id) == 0) return true;
    return false;
}

/* One line per variant, one column per subject, of the rows' own cells. A row that no subject was
 * judged for is told in the list below. */
static void print_grid(struct assay_emit *emit, const struct assay_matrix *matrix,
                       const json_t *summary, const json_t *rows)
{
    const json_t *not_judged = json_object_get(summary, "not_judged");
    struct assay_emit_field fields[ASSAY_MATRIX_SUBJECTS + 3] = {{"row", "row", 0},
                                                                 {"variant", "variant", 0}};
    size_t subjects = matrix->config.subject_count, n = json_array_size(rows);
    json_t *grid = json_array();
    for (size_t s = 0; s < subjects; s++) {
        const char *name = matrix->config.subjects[s].name;
        fields[2 + s] = (struct assay_emit_field){name, name, ASSAY_EMIT_PLAIN};
    }
    for (size_t i = 0; i < n; i += subjects) {
        const json_t *first = json_array_get(rows, i);
        if (is_listed(not_judged, text_of(first, "row")))
            continue;
        json_t *line = json_pack("{s:s, s:s}", "row", text_of(first, "row"), "variant",
                                 text_of(first, "variant"));
        for (size_t s = 0; s < subjects; s++) {
            const json_t *row = json_array_get(rows, i + s);
            json_object_set_new(line, text_of(row, "name"), json_string(text_of(row, "cell")));
        }
        json_array_append_new(grid, line);
    }
    assay_emit_table(emit, "assay.matrix.row", fields, grid);
}

static void print_contradictions(FILE *out, const json_t *rows)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) if (json_is_true(json_object_get(row, "contradicts")))
        fprintf(out, "contradiction: %s %s\n", text_of(row, "name"), text_of(row, "contradiction"));
}

static void print_list(FILE *out, const char *title, const json_t *list)
{
    size_t i;
    const json_t *value;
    fprintf(out, "%s:", title);
    json_array_foreach(list, i, value) fprintf(out, " %s", json_string_value(value));
    fprintf(out, "%s\n", json_array_size(list) ? "" : " nothing");
}

static void print_legend(FILE *out)
{
    fputs("\nD noticed (the program ended; d: mostly by a fault, which may be chance): at the "
          "misuse, or at its\n"
          "own free, the neighbour's (nbr), the next malloc, later. N without effect. Words: its "
          "effects, of S15\n"
          "to S18 the row's own first. Percent: it differs from trial to trial; ?: not decided. "
          "Figures: bits at\n"
          "least; least / mean bytes or calls. -: not judged. !: contradicts the profile.\n",
          out);
}

static void print_summary(FILE *out, const json_t *summary, const json_t *rows)
{
    struct assay_human a, b;
    print_contradictions(out, rows);
    print_list(out, "judged", json_object_get(summary, "judged"));
    print_list(out, "not judged", json_object_get(summary, "not_judged"));
    if (json_array_size(json_object_get(summary, "undecided_rows")))
        print_list(out, "left undecided", json_object_get(summary, "undecided_rows"));
    double seconds = json_real_value(json_object_get(summary, "seconds"));
    fprintf(out, "%s trials in %s, %lld contradictions, %lld undecided, seed %lld\n",
            assay_human_count(&a, (uint64_t)json_integer_value(json_object_get(summary, "trials"))),
            assay_human_duration(&b, (uint64_t)(seconds * 1e9)),
            (long long)json_integer_value(json_object_get(summary, "contradictions")),
            (long long)json_integer_value(json_object_get(summary, "undecided")),
            (long long)json_integer_value(json_object_get(summary, "seed")));
}

/* ---- the run -------------------------------------------------------------------------------- */

static void tick(void *self, const struct assay_matrix *matrix)
{
    char note[64];
    snprintf(note, sizeof note, "%" PRIu64 " trials", matrix->trials);
    assay_progress_update(self, matrix->done_count, note);
}

/* "tags:16,4": the tag model with granules of 16 bytes and tags of 4 bits. */
static int find_tags(const char *text, struct assay_tags *ret_tags, struct assay_error *err)
{
    enum { GRANULE_MAX = 4096, BITS_MAX = 8 };
    char *end;
    unsigned long granule = strtoul(text, &end, 10), bits = 0;
    if (*end == ',')
        bits = strtoul(end + 1, &end, 10);
    if (*end || granule == 0 || granule > GRANULE_MAX || (granule & (granule - 1)) || bits == 0 ||
        bits > BITS_MAX)
        return assay_fail(err, ASSAY_E_USAGE,
                          "'tags:%.20s' is no tag model: give a granule in bytes and a number of "
                          "bits, as in tags:16,4",
                          text);
    *ret_tags = (struct assay_tags){(uint32_t)granule, (uint32_t)bits};
    return 0;
}

static int find_subjects(const struct options *options, struct assay_subject_spec *specs,
                         struct assay_profile *profiles, const char **ret_shown,
                         struct assay_tags *tags, struct assay_error *err)
{
    static char absolute[ASSAY_MATRIX_SUBJECTS][PATH_MAX];
    int code = 0;
    for (size_t i = 0; i < options->subject_count && code == 0; i++) {
        const char *name = options->subjects[i];
        ret_shown[i] = assay_subject_anywhere(name, absolute[i]);
        if (strncmp(name, "tags:", 5) == 0) {
            code = find_tags(name + 5, &tags[i], err);
            snprintf(specs[i].name, sizeof specs[i].name, "%s", name);
            assay_profile_generic(&profiles[i]);
            continue;
        }
        code = assay_named_subject(name, options->profile, &specs[i], &profiles[i], err);
        if (code == 0)
            assay_say_generic(name, options->profile, &profiles[i]);
        if (code == 0 && specs[i].adapter)
            code = assay_subject_probe(&specs[i], err);
        for (size_t j = 0; j < i && code == 0; j++)
            if (strcmp(specs[i].name, specs[j].name) == 0)
                snprintf(specs[i].name + strlen(specs[i].name),
                         sizeof specs[i].name - strlen(specs[i].name), "#%zu", i + 1);
    }
    return code;
}

static bool is_promised(const struct assay_misuse_info *variant,
                        const struct assay_profile *profiles, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (assay_misuse_promised(variant, &profiles[i]))
            return true;
    return false;
}

/* Which variants are tried: malloc'ed, by index of assay_misuse_list. */
static bool *choose_variants(const struct options *options, const struct assay_profile *profiles)
{
    const struct assay_misuse_info *rows;
    size_t n = assay_misuse_list(&rows);
    bool *chosen = calloc(n, sizeof *chosen);
    ASSAY_CHECK(chosen);
    for (size_t i = 0; i < n; i++)
        chosen[i] = (!options->some_rows || options->rows[rows[i].row]) &&
                    (!options->promised || is_promised(&rows[i], profiles, options->subject_count));
    return chosen;
}

/* Something was asked for and cannot be told: a promise that the trials left open, or nothing at
 * all.
 */
static bool is_open(const struct assay_matrix *matrix)
{
    for (size_t i = 0; i < matrix->cell_count; i++)
        if (assay_matrix_is_open(&matrix->cells[i],
                                 &matrix->config.profiles[matrix->cells[i].subject]))
            return true;
    return false;
}

static int report(struct options *options, struct assay_matrix *matrix, double seconds,
                  struct assay_error *err)
{
    struct assay_emit *emit = &options->common.emit;
    json_t *rows = json_array();
    int code = 0;
    for (size_t i = 0; i < matrix->cell_count; i++)
        json_array_append_new(rows, assay_matrix_row(matrix, &matrix->cells[i]));
    json_t *summary = assay_matrix_summary(matrix, rows, seconds);
    bool nothing = json_array_size(json_object_get(summary, "judged")) == 0;
    bool contradicted = json_integer_value(json_object_get(summary, "contradictions")) > 0;
    if (options->html)
        code = assay_matrix_html(options->html, summary, rows, err);
    if (!emit->json) {
        print_grid(emit, matrix, summary, rows);
        print_legend(stdout);
    }
    print_summary(assay_emit_text(emit), summary, rows);
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) assay_emit_object(emit, "assay.matrix.row", json_incref(row));
    assay_emit_object(emit, "assay.matrix", summary);
    json_decref(rows);
    if (code < 0)
        return assay_report_error(err);
    if (interrupted)
        return ASSAY_EXIT_INTERRUPTED;
    if (contradicted)
        return ASSAY_EXIT_FINDINGS;
    return nothing || is_open(matrix) ? ASSAY_EXIT_INCONCLUSIVE : ASSAY_EXIT_CLEAN;
}

int assay_cmd_matrix(int argc, char **argv)
{
    static char bulwark[] = "bulwark";
    static struct options options = {
        .size = ASSAY_MATRIX_SIZE, .max_trials = 1000, .max_time_ns = UINT64_C(600000000000)};
    static struct assay_subject_spec specs[ASSAY_MATRIX_SUBJECTS];
    static struct assay_profile profiles[ASSAY_MATRIX_SUBJECTS];
    static const char *shown[ASSAY_MATRIX_SUBJECTS];
    struct assay_progress progress;
    struct assay_matrix matrix;
    struct assay_error err = {0};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    options.jobs = processors > 0 && processors < 256 ? (unsigned)processors : 1;
    assay_options_parse(&argp, argc, argv, 0, &options);
    uint64_t start_ns = assay_now_ns();
    if (options.subject_count == 0)
        options.subjects[options.subject_count++] = bulwark;
    if (!options.seeded && getrandom(&options.seed, 4, 0) != 4)
        options.seed = start_ns;
    struct assay_matrix_config config = {.subjects = specs,
                                         .shown = shown,
                                         .profiles = profiles,
                                         .subject_count = options.subject_count,
                                         .seed = options.seed,
                                         .size = options.size,
                                         .promises_only = options.promised,
                                         .promised_only = options.promised,
                                         .max_trials = options.max_trials,
                                         .max_time_ns = options.max_time_ns,
                                         .jobs = options.jobs,
                                         .interrupted = &interrupted};
    if ((options.html && assay_whole_file_ready(options.html, &err) < 0) ||
        find_subjects(&options, specs, profiles, shown, config.tags, &err) < 0)
        return assay_report_error(&err);
    bool *variants = choose_variants(&options, profiles);
    config.variants = variants;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    signal(SIGPIPE, SIG_IGN);
    if (assay_matrix_create(&config, &matrix, &err) < 0) {
        free(variants);
        return assay_report_error(&err);
    }
    assay_progress_begin(&progress, "matrix", "verdicts", matrix.cell_count, 0,
                         options.common.quiet);
    int code = assay_matrix_run(&matrix, tick, &progress, &err);
    assay_progress_end(&progress);
    code = code < 0 ? assay_report_error(&err)
                    : report(&options, &matrix, (double)(assay_now_ns() - start_ns) / 1e9, &err);
    assay_matrix_free(&matrix);
    free(variants);
    return code;
}

/* assay diff: one trace replayed on two builds, compared op by op through symbolic allocator state,
 * then timed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "oracles/compare/behaviour.h"
#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/named_subject.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/replay_source.h"
#include "tools/shell.h"
#include "traces/core/printable.h"
#include "traces/runner/session.h"

enum {
    KEY_A = ASSAY_KEY_FIRST,
    KEY_B,
    KEY_PROCESS,
    KEY_LOSSY,
    KEY_IGNORE,
    KEY_SEED,
    KEY_NO_COST,
    KEY_ALL
};

enum { CLASSES_LISTED = 16, COST_OPS_MIN = 1000 }; /* fewer say nothing of time */

struct diff_options {
    struct assay_common common;
    const char *file, *a, *b;
    long process;
    bool allow_lossy, no_cost, all;
    uint64_t seed;
    struct assay_comparison_options compare;
};

struct side {
    const char *option; /* as given */
    struct assay_subject_spec spec;
    struct assay_session *session;
    struct assay_session_status status; /* of the behavioural run */
    struct assay_session_status cost;   /* of the timed run */
};

/* A class of differences, the same in whatever process images it shows. */
struct diff_class {
    struct assay_difference_class c;
    uint16_t process; /* of the first difference */
    uint64_t images;
};

struct diff {
    const struct diff_options *options;
    struct side sides[2];
    struct assay_replay_source *source;
    struct assay_comparison *comparison;
    struct assay_progress progress;
    struct diff_class *classes; /* over all images */
    size_t class_count;
    uint64_t read, inherited; /* of the trace by passes that have ended; re-created for forks */
    struct assay_comparison_totals totals;
    json_t *ends; /* how runs ended that did not end well */
};

static const char *const field_options[ASSAY_FIELD_COUNT + 1] = {
    "refusal", "errno", "signal", "usable", "answer", "low-bits", "placement", "content", NULL};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct diff_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
    case KEY_A: options->a = arg; return 0;
    case KEY_B: options->b = arg; return 0;
    case KEY_PROCESS:
        options->process = (long)assay_option_number(state, "process", arg, 0, 65535);
        return 0;
    case KEY_LOSSY: options->allow_lossy = true; return 0;
    case KEY_ALL: options->all = true; return 0;
    case KEY_NO_COST: options->no_cost = true; return 0;
    case KEY_SEED: options->seed = assay_option_number(state, "seed", arg, 0, UINT64_MAX); return 0;
    case KEY_IGNORE:
        options->compare.ignore |= 1u << assay_option_choice(state, "ignore", arg, field_options);
        return 0;
    case ARGP_KEY_ARG:
        if (options->file)
            return assay_usage(state, "one trace only, not also '%s'", arg);
        options->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!options->file)
            return assay_usage(state, "no trace given");
        if (!options->a || !options->b)
            return assay_usage(state, "two subjects are needed: --a and --b");
        if (strcmp(options->a, "recorded") == 0 || strcmp(options->b, "recorded") == 0)
            return assay_usage(state, "--%s: 'recorded' goes with 'assay replay' only",
                               strcmp(options->a, "recorded") == 0 ? "a" : "b");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"a", KEY_A, "SUBJECT", 0, "the first build: a name or a path, as for 'assay replay'", 0},
    {"b", KEY_B, "SUBJECT", 0, "the second build", 0},
    {"ignore", KEY_IGNORE, "FIELD", 0,
     "do not compare: refusal, errno, signal, usable, answer, low-bits, placement or content; may "
     "be given again",
     0},
    {"process", KEY_PROCESS, "N", 0, "only this process of the trace", 0},
    {"allow-lossy", KEY_LOSSY, NULL, 0, "take a trace that lost events", 0},
    {"no-cost", KEY_NO_COST, NULL, 0, "skip the timed runs", 0},
    {"all", KEY_ALL, NULL, 0, "list every class, not only the 16 heaviest", 0},
    {"seed", KEY_SEED, "N", 0, "of frozen randomness (default 1)", 0},
    {0},
};

static const struct argp argp = {
    .options = option_table,
    .parser = parse_option,
    .args_doc = "FILE --a SUBJECT --b SUBJECT",
    .doc = "Replays a trace on two builds of an allocator and says where they behave differently.\v"
           "Exit: 0 the same, 1 differences, 2 usage, 3 could not run, 130 interrupted.",
    .children = assay_progress_children,
};

static int start(struct diff *diff, struct side *side, bool behaviour, struct assay_error *err)
{
    struct assay_session_config config = {
        .subject = &side->spec,
        .environment.order = ASSAY_ORDER_SERIAL,
        .touch = behaviour ? ASSAY_TOUCH_FULL : ASSAY_TOUCH_PAGE,
        .ask_usable = behaviour,
        .want_results = behaviour,
        .frozen = true,
        .seed = diff->options->seed,
        .max_objects = assay_replay_max_object(diff->source),
        .hang_ms = 5000,
    };
    int code = assay_session_start(&config, &side->session, err);
    uint64_t missing;
    return code < 0 ? code : assay_session_ready(side->session, &missing, err);
}

static void stop(struct side *side)
{
    if (side->session)
        assay_session_close(side->session);
    side->session = NULL;
}

static const char *state_name(const struct assay_session_status *status)
{
    switch (status->state) {
    case ASSAY_SESSION_CRASHED: return "crashed";
    case ASSAY_SESSION_HUNG: return "hung";
    case ASSAY_SESSION_MEMORY: return "exceeded its memory limit";
    case ASSAY_SESSION_EXITED: return "exited";
    default: return "ended";
    }
}

/* Gives both sides the next ops of the image. Returns how many, 0 at the end or when a side is
 * gone, negative on error. */
static long feed(struct diff *diff, struct assay_error *err)
{
    struct assay_event *chunks[2];
    if (assay_interrupted)
        return assay_fail(err, ASSAY_E_INTERRUPTED, "interrupted");
    size_t room = SIZE_MAX;
    for (int i = 0; i < 2; i++) {
        size_t capacity;
        chunks[i] = assay_session_chunk(diff->sides[i].session, &capacity);
        if (!chunks[i])
            return 0;
        room = capacity < room ? capacity : room;
    }
    long n = assay_replay_next(diff->source, chunks[0], room, err);
    if (n <= 0)
        return n;
    memcpy(chunks[1], chunks[0], (size_t)n * sizeof *chunks[0]);
    for (int i = 0; i < 2; i++)
        assay_session_submit(diff->sides[i].session, (size_t)n, false);
    return n;
}

/* Compares the next executed chunk of both. Returns how many ops, 0 when a side has no more,
 * negative on error. */
static long compare(struct diff *diff, struct assay_error *err)
{
    size_t counts[2];
    const struct assay_event *events[2];
    for (int i = 0; i < 2; i++) {
        events[i] = assay_session_collect(diff->sides[i].session, &counts[i]);
        if (!events[i])
            counts[i] = 0;
    }
    size_t n = counts[0] < counts[1] ? counts[0] : counts[1];
    for (int i = 0; i < 2; i++) /* the op that a side died in has no answer */
        while (events[i] && n > 0 && n == counts[i] &&
               !(events[i][n - 1].flags & (ASSAY_FLAG_EXECUTED | ASSAY_FLAG_SKIPPED)))
            counts[i] = --n;
    int code = assay_session_check(diff->sides[0].session, err);
    if (code == 0)
        code = assay_session_check(diff->sides[1].session, err);
    for (size_t at = 0; at < n && code == 0; at++)
        code = assay_comparison_step(diff->comparison, &events[0][at], &events[1][at], err);
    for (int i = 0; i < 2; i++)
        if (events[i])
            assay_session_release(diff->sides[i].session);
    return code < 0 ? code : (long)n;
}

static bool same_class(const struct assay_difference_class *a,
                       const struct assay_difference_class *b)
{
    return a->field == b->field && a->kind == b->kind && a->name_a == b->name_a &&
           a->name_b == b->name_b && a->size_band == b->size_band;
}

static void add_class(struct diff *diff, const struct assay_difference_class *found,
                      uint16_t process)
{
    for (size_t i = 0; i < diff->class_count; i++) {
        struct diff_class *known = &diff->classes[i];
        if (!same_class(&known->c, found))
            continue;
        if (!known->c.fresh && found->fresh) { /* a new one is the better example */
            known->c.first = found->first;
            known->process = process;
        }
        known->c.fresh += found->fresh;
        known->c.consequences += found->consequences;
        known->images++;
        return;
    }
    diff->classes[diff->class_count++] = (struct diff_class){*found, process, 1};
}

static void add_classes(struct diff *diff, uint16_t process)
{
    size_t n;
    const struct assay_difference_class *found = assay_comparison_classes(diff->comparison, &n);
    struct assay_comparison_totals totals = assay_comparison_totals(diff->comparison);
    diff->classes = realloc(diff->classes, (diff->class_count + n + 1) * sizeof *diff->classes);
    ASSAY_CHECK(diff->classes);
    for (size_t i = 0; i < n; i++)
        add_class(diff, &found[i], process);
    diff->totals.ops += totals.ops;
    diff->totals.compared += totals.compared;
    diff->totals.incomparable += totals.incomparable;
    diff->totals.one_sided += totals.one_sided;
    diff->totals.fresh += totals.fresh;
    diff->totals.consequences += totals.consequences;
}

/* The trace is read once for behaviour, and once for each side's cost. */
static void show_progress(struct diff *diff)
{
    uint64_t passes = diff->options->no_cost ? 1 : 3;
    assay_progress_update(&diff->progress,
                          (diff->read + assay_replay_taken(diff->source).events) / passes, NULL);
}

static void note_end(struct diff *diff, const struct side *side, char letter)
{
    const struct assay_session_status *status = &side->status;
    if (status->state == ASSAY_SESSION_ENDED || status->state == ASSAY_SESSION_RUNNING)
        return;
    char name[2] = {letter, 0};
    json_array_append_new(diff->ends,
                          json_pack("{s:s, s:o, s:s, s:I, s:i, s:o}", "side", name, "subject",
                                    assay_emit_string(side->option), "state", state_name(status),
                                    "op", (json_int_t)status->op_index, "signal", status->signal,
                                    "stderr", assay_emit_string(status->stderr_text)));
}

static int behaviour_of_image(struct diff *diff, size_t image, struct assay_error *err)
{
    long fed = 1, compared = 0;
    int code = assay_replay_begin(diff->source, image, err);
    for (int i = 0; i < 2 && code >= 0; i++)
        code = start(diff, &diff->sides[i], true, err);
    if (code < 0)
        return code;
    diff->comparison = assay_comparison_create(&diff->options->compare, NULL, NULL);
    if (!diff->comparison)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory for the comparison");
    /* one chunk ahead, so that both children and the comparison work at the same time */
    fed = feed(diff, err);
    while (fed > 0) {
        long next = feed(diff, err);
        compared = compare(diff, err);
        if (compared <= 0 || next < 0) {
            code = next < 0 ? (int)next : (int)compared;
            break;
        }
        show_progress(diff);
        fed = next;
    }
    if (fed < 0)
        code = (int)fed;
    for (int i = 0; i < 2 && code >= 0; i++) {
        assay_session_wait(diff->sides[i].session, &diff->sides[i].status);
        if ((code = assay_session_check(diff->sides[i].session, err)) < 0)
            break;
        note_end(diff, &diff->sides[i], (char)('a' + i));
    }
    const struct assay_replay_image *images;
    assay_replay_images(diff->source, &images);
    add_classes(diff, images[image].process);
    struct assay_replay_taken taken = assay_replay_taken(diff->source);
    diff->read += taken.events;
    diff->inherited += taken.inherited;
    assay_comparison_free(diff->comparison);
    diff->comparison = NULL;
    return code < 0 ? code : 0;
}

/* A timed run: nothing asked, nothing checked, pages touched. */
static int cost_of_image(struct diff *diff, struct side *side, size_t image,
                         struct assay_error *err)
{
    struct assay_session_status status;
    long n = 0;
    int code = assay_replay_begin(diff->source, image, err);
    if (code >= 0)
        code = start(diff, side, false, err);
    while (code >= 0) {
        size_t capacity;
        struct assay_event *chunk = assay_session_chunk(side->session, &capacity);
        if (assay_interrupted) {
            code = assay_fail(err, ASSAY_E_INTERRUPTED, "interrupted");
            break;
        }
        if (!chunk || (n = assay_replay_next(diff->source, chunk, capacity, err)) < 0)
            break;
        assay_session_submit(side->session, (size_t)n, n == 0);
        if (n == 0)
            break;
        show_progress(diff);
    }
    diff->read += assay_replay_taken(diff->source).events;
    if (code >= 0 && n < 0)
        code = (int)n;
    if (code >= 0) {
        assay_session_wait(side->session, &status);
        if (status.executed >= COST_OPS_MIN && status.executed >= side->cost.executed)
            side->cost = status; /* the largest image stands for the trace */
    }
    stop(side);
    return code < 0 ? code : 0;
}

static int run(struct diff *diff, struct assay_error *err)
{
    const struct assay_replay_image *images;
    size_t count = assay_replay_images(diff->source, &images);
    int code = 0;
    for (size_t image = 0; image < count && code == 0; image++) {
        code = behaviour_of_image(diff, image, err);
        for (int i = 0; i < 2; i++)
            stop(&diff->sides[i]);
    }
    if (diff->options->no_cost)
        return code;
    for (size_t image = 0; image < count && code == 0; image++)
        for (int i = 0; i < 2 && code == 0; i++)
            code = cost_of_image(diff, &diff->sides[i], image, err);
    return code;
}

static int by_weight(const void *x, const void *y)
{
    const struct assay_difference_class *a = &((const struct diff_class *)x)->c;
    const struct assay_difference_class *b = &((const struct diff_class *)y)->c;
    if (!a->fresh != !b->fresh)
        return a->fresh ? -1 : 1;
    uint64_t wa = a->fresh + a->consequences, wb = b->fresh + b->consequences;
    return wa < wb ? 1 : wa > wb ? -1 : 0;
}

static void size_range(char *text, size_t size, uint32_t band)
{
    struct assay_human low, high;
    if (band <= 1)
        snprintf(text, size, "%u", band);
    else
        snprintf(text, size, "%s-%s", assay_human_count(&low, UINT64_C(1) << (band - 1)),
                 assay_human_count(&high, band < 64 ? (UINT64_C(1) << band) - 1 : UINT64_MAX));
}

/* several: the trace has several process images */
static json_t *class_json(const struct diff_class *class, bool several)
{
    const struct assay_difference_class *c = &class->c;
    char range[64], example[480];
    size_range(range, sizeof range, c->size_band);
    int n = assay_difference_print(example, sizeof example, &c->first);
    if (several && n >= 0 && (size_t)n < sizeof example)
        snprintf(example + n, sizeof example - (size_t)n, " (process %u%s)", class->process,
                 class->images > 1 ? ", and in others" : "");
    return json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:i, s:I, s:I, s:s}", "field", assay_field_name(c->field), "op",
        assay_op_info(c->kind)->name, "bytes", range, "differences", (json_int_t)c->fresh,
        "consequences", (json_int_t)c->consequences, "process", (int)class->process, "images",
        (json_int_t) class->images, "first_op", (json_int_t)c->first.op_index, "example", example);
}

/* Calls compared that the trace has, without those that re-create what forked processes inherit. */
static uint64_t own_compared(const struct diff *diff)
{
    return diff->totals.compared > diff->inherited ? diff->totals.compared - diff->inherited : 0;
}

static json_t *side_json(const struct side *side)
{
    json_t *object = json_pack("{s:o, s:s, s:b, s:b}", "subject", assay_emit_string(side->option),
                               "build_id", side->spec.build_id, "frozen", side->status.frozen,
                               "frozen_calls", side->status.supervision.works);
    ASSAY_CHECK(object);
    if (side->cost.ns_per_event > 0) {
        json_object_set_new(object, "ns_per_event", json_real(side->cost.ns_per_event));
        json_object_set_new(object, "peak_rss_bytes",
                            json_integer((json_int_t)side->cost.peak_rss_bytes));
    }
    return object;
}

static void print_cost(FILE *out, const struct diff *diff)
{
    const struct side *a = &diff->sides[0], *b = &diff->sides[1];
    struct assay_human rss_a, rss_b;
    struct assay_printable name_a, name_b;
    if (!(a->cost.ns_per_event > 0) || !(b->cost.ns_per_event > 0))
        return;
    fprintf(out,
            "cost: %.1f ns per event on %s, %.1f on %s (b/a = %.2f); peak resident %s and %s. One "
            "run each: for a\n"
            "decision, repeat it.\n",
            a->cost.ns_per_event, assay_printable(&name_a, a->option), b->cost.ns_per_event,
            assay_printable(&name_b, b->option), b->cost.ns_per_event / a->cost.ns_per_event,
            assay_human_bytes(&rss_a, a->cost.peak_rss_bytes),
            assay_human_bytes(&rss_b, b->cost.peak_rss_bytes));
}

/* The command line that does the same again; malloc'ed. */
static char *command_line(const struct diff_options *options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    char *words = assay_shell_line("assay", "diff", options->file, "--a", options->a, "--b",
                                   options->b, NULL);
    ASSAY_CHECK(out);
    fputs(words, out);
    free(words);
    for (unsigned field = 0; field < ASSAY_FIELD_COUNT; field++)
        if (options->compare.ignore >> field & 1)
            fprintf(out, " --ignore %s", field_options[field]);
    if (options->process >= 0)
        fprintf(out, " --process %ld", options->process);
    if (options->allow_lossy)
        fprintf(out, " --allow-lossy");
    if (options->seed != 1)
        fprintf(out, " --seed %" PRIu64, options->seed);
    ASSAY_CHECK(fclose(out) == 0);
    return text;
}

/* What to try then, malloc'ed; NULL: nothing more. */
static char *next_line(const struct diff *diff, const char *line, bool differs)
{
    const struct diff_options *options = diff->options;
    const char *died = json_string_value(json_object_get(json_array_get(diff->ends, 0), "subject"));
    char *text;
    if (died) /* replay judges that, and says what was seen */
        return assay_shell_line("assay", "replay", options->file, "--subject", died,
                                options->allow_lossy ? "--allow-lossy" : NULL, NULL);
    const char *more = !(options->compare.ignore >> ASSAY_FIELD_PLACEMENT & 1)
                           ? "--ignore placement"
                       : !options->all ? "--all"
                                       : NULL;
    if (!differs || !more)
        return NULL;
    ASSAY_CHECK(asprintf(&text, "%s %s", line, more) > 0);
    return text;
}

static void print_summary(FILE *out, struct diff *diff, bool differs)
{
    struct assay_human compared, inherited, fresh, consequences;
    char more[64] = "";
    struct assay_printable subject;
    size_t index;
    json_t *end;
    if (diff->inherited)
        snprintf(more, sizeof more, " (+%s inherited)",
                 assay_human_count(&inherited, diff->inherited));
    fprintf(out, "%s compared%s: %s",
            assay_human_of(&compared, own_compared(diff), "call", "calls"), more,
            differs ? "behaviour differs" : "no difference");
    if (diff->totals.fresh)
        fprintf(out, ", %s in %zu class%s",
                assay_human_of(&fresh, diff->totals.fresh, "difference", "differences"),
                diff->class_count, diff->class_count == 1 ? "" : "es");
    if (diff->totals.consequences)
        fprintf(out, " (and %s of these)",
                assay_human_of(&consequences, diff->totals.consequences, "consequence",
                               "consequences"));
    fputc('\n', out);
    if (diff->totals.one_sided)
        fprintf(out, "%s made on one side only: the other lacks the API\n",
                assay_human_of(&compared, diff->totals.one_sided, "call was", "calls were"));
    if (diff->totals.incomparable)
        fprintf(out, "%s not be compared: an argument was live on one side only\n",
                assay_human_of(&compared, diff->totals.incomparable, "call could", "calls could"));
    json_array_foreach(diff->ends, index, end)
    {
        if (index > 0 && json_equal(end, json_array_get(diff->ends, index - 1)))
            continue; /* another process image, the same end */
        fprintf(out, "%s (%s) %s at op %lld\n", json_string_value(json_object_get(end, "side")),
                assay_printable(&subject, json_string_value(json_object_get(end, "subject"))),
                json_string_value(json_object_get(end, "state")),
                (long long)json_integer_value(json_object_get(end, "op")));
    }
    if (differs && !(assay_session_frozen(&diff->sides[0].status) &&
                     assay_session_frozen(&diff->sides[1].status)))
        fprintf(out, "randomness was not frozen: a difference may be chance; 'assay doctor' says "
                     "why\n");
    print_cost(out, diff);
    char *line = command_line(diff->options), *next = next_line(diff, line, differs);
    fprintf(out, "reproduce: %s\n", line);
    if (next)
        fprintf(out, "next: %s\n", next);
    free(line);
    free(next);
}

static int print_results(struct diff *diff, struct diff_options *options)
{
    static const struct assay_emit_field fields[] = {
        {"differences", "new", ASSAY_EMIT_COUNT},
        {"consequences", "consequences", ASSAY_EMIT_COUNT},
        {"example", "first of its class: a | b", ASSAY_EMIT_PLAIN},
        {0},
    };
    struct assay_emit *emit = &options->common.emit;
    struct assay_human more;
    bool differs = diff->class_count > 0 || json_array_size(diff->ends) > 0;
    json_t *rows = json_array();
    const struct assay_replay_image *unused;
    size_t images = assay_replay_images(diff->source, &unused);
    if (diff->class_count)
        qsort(diff->classes, diff->class_count, sizeof *diff->classes, by_weight);
    size_t listed = diff->class_count;
    if (!options->all && !emit->json && listed > CLASSES_LISTED)
        listed = CLASSES_LISTED;
    for (size_t i = 0; i < listed; i++)
        json_array_append_new(rows, class_json(&diff->classes[i], images > 1));
    if (diff->class_count)
        assay_emit_table(emit, "assay.diff.class", fields, rows);
    else
        json_decref(rows);
    if (listed < diff->class_count)
        fprintf(stdout, "... and %s more; --all lists them\n",
                assay_human_of(&more, diff->class_count - listed, "class", "classes"));
    if (!emit->json)
        print_summary(stdout, diff, differs);
    json_t *object = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:O}", "events",
        (json_int_t)assay_replay_events(diff->source), "compared", (json_int_t)own_compared(diff),
        "inherited", (json_int_t)diff->inherited, "differences", (json_int_t)diff->totals.fresh,
        "consequences", (json_int_t)diff->totals.consequences, "classes",
        (json_int_t)diff->class_count, "one_sided", (json_int_t)diff->totals.one_sided,
        "incomparable", (json_int_t)diff->totals.incomparable, "differs", differs, "a",
        side_json(&diff->sides[0]), "b", side_json(&diff->sides[1]), "ends", diff->ends);
    ASSAY_CHECK(object);
    char *line = command_line(options), *next = next_line(diff, line, differs);
    json_object_set_new(object, "reproduce", assay_emit_string(line));
    if (next)
        json_object_set_new(object, "next", assay_emit_string(next));
    free(line);
    free(next);
    assay_emit_object(emit, "assay.diff", object);
    return differs ? ASSAY_EXIT_FINDINGS : ASSAY_EXIT_CLEAN;
}

int assay_cmd_diff(int argc, char **argv)
{
    static char absolute[2][PATH_MAX];
    struct diff_options options = {.process = -1, .seed = 1};
    struct assay_error err = {0};
    int result;
    assay_options_parse(&argp, argc, argv, 0, &options);
    struct diff diff = {.options = &options, .ends = json_array()};
    diff.sides[0].option = assay_subject_anywhere(options.a, absolute[0]);
    diff.sides[1].option = assay_subject_anywhere(options.b, absolute[1]);
    int code = 0;
    assay_catch_interrupts(true);
    for (int i = 0; i < 2 && code >= 0; i++)
        code = assay_subject_find(i ? options.b : options.a, &diff.sides[i].spec, &err);
    if (code >= 0)
        code = assay_replay_open(options.file, options.allow_lossy, options.process, &diff.source,
                                 &err);
    if (code >= 0) {
        assay_progress_begin(&diff.progress, "diff", "events", assay_replay_events(diff.source), 0,
                             options.common.quiet);
        code = run(&diff, &err);
        assay_progress_end(&diff.progress);
    }
    result = code < 0 ? assay_report_error(&err) : print_results(&diff, &options);
    for (int i = 0; i < 2; i++)
        stop(&diff.sides[i]);
    assay_replay_close(diff.source);
    assay_comparison_free(diff.comparison);
    free(diff.classes);
    json_decref(diff.ends);
    return result;
}

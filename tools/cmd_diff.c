/* assay diff: one trace replayed on two builds, compared op by op through symbolic allocator state,
 * then timed. */
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/diff.h"
#include "tools/interrupt.h"
#include "tools/named_subject.h"

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

enum { COST_OPS_MIN = 1000 }; /* fewer say nothing of time */

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct assay_diff_options *options = state->input;
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
        options->compare.ignore |= 1u
                                   << assay_option_choice(state, "ignore", arg, assay_diff_fields);
        return 0;
    case ARGP_KEY_ARG: return assay_option_single(state, &options->file, arg, "trace");
    case ARGP_KEY_END:
        if (!options->file)
            return assay_usage(state, "no trace given");
        if (!options->a || !options->b)
            return assay_usage(state, "two subjects are needed: --a and --b");
        assay_option_not_recorded(state, "a", options->a);
        return assay_option_not_recorded(state, "b", options->b);
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
    .doc =
        "Replays a trace on two builds of an allocator and says where they behave differently.\v"
        "Exit: 0 the same, 1 differences, 2 usage, 3 could not run, 4 alike until both died, 130 "
        "interrupted.",
    .children = assay_progress_children,
};

static int start(struct assay_diff *diff, struct assay_diff_side *side, bool behaviour,
                 struct assay_error *err)
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

static void stop(struct assay_diff_side *side)
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
static long feed(struct assay_diff *diff, struct assay_error *err)
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
static long compare(struct assay_diff *diff, struct assay_error *err)
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

static void add_class(struct assay_diff *diff, const struct assay_difference_class *found,
                      uint16_t process)
{
    for (size_t i = 0; i < diff->class_count; i++) {
        struct assay_diff_class *known = &diff->classes[i];
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
    diff->classes[diff->class_count++] = (struct assay_diff_class){*found, process, 1};
}

static void add_classes(struct assay_diff *diff, uint16_t process)
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

static bool ended_well(const struct assay_session_status *status)
{
    return status->state == ASSAY_SESSION_ENDED || status->state == ASSAY_SESSION_RUNNING;
}

/* The trace is read once for behaviour, and once for each side's cost. */
static void show_progress(struct assay_diff *diff)
{
    uint64_t passes = diff->options->no_cost ? 1 : 3;
    assay_progress_update(&diff->progress,
                          (diff->read + assay_replay_taken(diff->source).events) / passes, NULL);
}

/* Whether a side's child died, and whether the other died of the same at the same op. Where memory
 * ran out is seen some milliseconds later, at no certain op. */
static void compare_ends(struct assay_diff *diff)
{
    const struct assay_session_status *a = &diff->sides[0].status, *b = &diff->sides[1].status;
    if (ended_well(a) && ended_well(b))
        return;
    bool at_one_op = a->op_index == b->op_index || a->state == ASSAY_SESSION_MEMORY;
    if (a->state == b->state && at_one_op && a->signal == b->signal && a->exit_code == b->exit_code)
        diff->ends_alike++;
    else
        diff->ends_differ++;
}

static void note_end(struct assay_diff *diff, const struct assay_diff_side *side, char letter)
{
    const struct assay_session_status *status = &side->status;
    if (ended_well(status))
        return;
    char name[2] = {letter, 0};
    json_array_append_new(diff->ends,
                          json_pack("{s:s, s:o, s:s, s:I, s:i, s:o}", "side", name, "subject",
                                    assay_emit_string(side->option), "state", state_name(status),
                                    "op", (json_int_t)status->op_index, "signal", status->signal,
                                    "stderr", assay_emit_string(status->stderr_text)));
}

static int behaviour_of_image(struct assay_diff *diff, size_t image, struct assay_error *err)
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
    if (code >= 0)
        compare_ends(diff);
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
static int cost_of_image(struct assay_diff *diff, struct assay_diff_side *side, size_t image,
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

static int run(struct assay_diff *diff, struct assay_error *err)
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

int assay_cmd_diff(int argc, char **argv)
{
    static char absolute[2][PATH_MAX];
    struct assay_diff_options options = {.process = -1, .seed = 1};
    struct assay_error err = {0};
    int result;
    assay_options_parse(&argp, argc, argv, 0, &options);
    struct assay_diff diff = {.options = &options, .ends = json_array()};
    diff.sides[0].option = assay_subject_anywhere(options.a, absolute[0]);
    diff.sides[1].option = assay_subject_anywhere(options.b, absolute[1]);
    int code = 0;
    assay_catch_interrupts(true);
    for (int i = 0; i < 2 && code >= 0; i++)
        code = assay_subject_for(i ? options.b : options.a, NULL, &diff.sides[i].spec, &err);
    if (code >= 0)
        code = assay_replay_open(options.file, options.allow_lossy, options.process, &diff.source,
                                 &err);
    if (code >= 0) {
        assay_progress_begin(&diff.progress, "diff", "events", assay_replay_events(diff.source), 0,
                             options.common.quiet);
        code = run(&diff, &err);
        assay_progress_end(&diff.progress);
    }
    result = code < 0 ? assay_report_error(&err) : assay_diff_tell(&diff, &options);
    for (int i = 0; i < 2; i++)
        stop(&diff.sides[i]);
    assay_replay_close(diff.source);
    assay_comparison_free(diff.comparison);
    free(diff.classes);
    json_decref(diff.ends);
    return result;
}

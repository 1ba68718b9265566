#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/diff.h"
#include "tools/human.h"
#include "tools/shell.h"
#include "traces/core/printable.h"

enum { CLASSES_LISTED = 16 };

const char *const assay_diff_fields[ASSAY_FIELD_COUNT + 1] = {
    "refusal", "errno", "signal", "usable", "answer", "low-bits", "placement", "content", NULL};

static int by_weight(const void *x, const void *y)
{
    const struct assay_difference_class *a = &((const struct assay_diff_class *)x)->c;
    const struct assay_difference_class *b = &((const struct assay_diff_class *)y)->c;
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
static json_t *class_json(const struct assay_diff_class *class, bool several)
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
static uint64_t own_compared(const struct assay_diff *diff)
{
    return diff->totals.compared > diff->inherited ? diff->totals.compared - diff->inherited : 0;
}

static json_t *side_json(const struct assay_diff_side *side)
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

static void print_cost(FILE *out, const struct assay_diff *diff)
{
    const struct assay_diff_side *a = &diff->sides[0], *b = &diff->sides[1];
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
static char *command_line(const struct assay_diff_options *options)
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
            fprintf(out, " --ignore %s", assay_diff_fields[field]);
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
static char *next_line(const struct assay_diff *diff, const char *line, bool differs)
{
    const struct assay_diff_options *options = diff->options;
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

/* In how many process images the side ended so; 0: an earlier one stands for them. */
static size_t count_ends(const json_t *ends, size_t at)
{
    size_t i, n = 0;
    const json_t *end, *first = json_array_get(ends, at);
    json_array_foreach(ends, i, end)
    {
        bool same = json_equal(json_object_get(end, "side"), json_object_get(first, "side")) &&
                    json_equal(json_object_get(end, "state"), json_object_get(first, "state"));
        if (same && i < at)
            return 0;
        n += same;
    }
    return n;
}

static void print_summary(FILE *out, struct assay_diff *diff, bool differs)
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
            differs            ? "behaviour differs"
            : diff->ends_alike ? "no difference until both died"
                               : "no difference");
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
        size_t more_ends = count_ends(diff->ends, index);
        if (more_ends == 0)
            continue;
        fprintf(out, "%s (%s) %s at op %lld", json_string_value(json_object_get(end, "side")),
                assay_printable(&subject, json_string_value(json_object_get(end, "subject"))),
                json_string_value(json_object_get(end, "state")),
                (long long)json_integer_value(json_object_get(end, "op")));
        if (more_ends > 1)
            fprintf(out, ", and in %zu more process images", more_ends - 1);
        fputc('\n', out);
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

int assay_diff_tell(struct assay_diff *diff, struct assay_diff_options *options)
{
    static const struct assay_emit_field fields[] = {
        {"differences", "new", ASSAY_EMIT_COUNT},
        {"consequences", "consequences", ASSAY_EMIT_COUNT},
        {"example", "first of its class: a | b", ASSAY_EMIT_PLAIN},
        {0},
    };
    struct assay_emit *emit = &options->common.emit;
    struct assay_human more;
    bool differs = diff->class_count > 0 || diff->ends_differ > 0;
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
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:o, s:o, s:O}", "events",
        (json_int_t)assay_replay_events(diff->source), "compared", (json_int_t)own_compared(diff),
        "inherited", (json_int_t)diff->inherited, "differences", (json_int_t)diff->totals.fresh,
        "consequences", (json_int_t)diff->totals.consequences, "classes",
        (json_int_t)diff->class_count, "one_sided", (json_int_t)diff->totals.one_sided,
        "incomparable", (json_int_t)diff->totals.incomparable, "differs", differs, "whole",
        json_array_size(diff->ends) == 0, "a", side_json(&diff->sides[0]), "b",
        side_json(&diff->sides[1]), "ends", diff->ends);
    ASSAY_CHECK(object);
    char *line = command_line(options), *next = next_line(diff, line, differs);
    json_object_set_new(object, "reproduce", assay_emit_string(line));
    if (next)
        json_object_set_new(object, "next", assay_emit_string(next));
    free(line);
    free(next);
    assay_emit_object(emit, "assay.diff", object);
    return differs            ? ASSAY_EXIT_FINDINGS
           : diff->ends_alike ? ASSAY_EXIT_INCONCLUSIVE
                              : ASSAY_EXIT_CLEAN;
}

/* What the trials say, as JSON objects; every other form is made of these. */
#include <stdlib.h>
#include <string.h>

#include "tools/emit.h"
#include "tools/matrix.h"

#define Z95 1.959964

static const char *state_name(enum assay_matrix_state state)
{
    static const char *const names[] = {
        [ASSAY_MATRIX_NOT_JUDGED] = "not judged", [ASSAY_MATRIX_UNDECIDED] = "undecided",
        [ASSAY_MATRIX_DETECTED] = "detected",     [ASSAY_MATRIX_NEUTRALISED] = "neutralised",
        [ASSAY_MATRIX_EFFECT] = "effect",         [ASSAY_MATRIX_MIXED] = "mixed",
        [ASSAY_MATRIX_MEASURED] = "measured"};
    return names[state];
}

static size_t most(const uint64_t *counts, size_t n)
{
    size_t at = 0;
    for (size_t i = 1; i < n; i++)
        if (counts[i] > counts[at])
            at = i;
    return at;
}

/* ---- figures -------------------------------------------------------------------------------- */

struct figure {
    uint64_t least, most;
    double mean;
};

static struct figure number_of(const struct assay_matrix_cell *cell)
{
    struct figure f = {UINT64_MAX, 0, 0};
    for (size_t i = 0; i < cell->value_count; i++) {
        uint64_t value = cell->values[i];
        f.least = value < f.least ? value : f.least;
        f.most = value > f.most ? value : f.most;
        f.mean += (double)value / (double)cell->value_count;
    }
    return f;
}

static struct assay_collisions collisions_of(const struct assay_matrix_cell *cell)
{
    return assay_collisions(cell->values, cell->value_count);
}

static json_t *figure_object(const struct assay_matrix_cell *cell)
{
    if (cell->value_count == 0)
        return json_null();
    if (cell->info->flags & ASSAY_MISUSE_ENTROPY) {
        struct assay_collisions c = collisions_of(cell);
        return json_pack("{s:I, s:I, s:I, s:I, s:f}", "values", (json_int_t)c.n, "distinct",
                         (json_int_t)c.distinct, "most_often", (json_int_t)c.most, "equal_pairs",
                         (json_int_t)c.pairs, "entropy_bits_at_least",
                         assay_entropy_bound(&c, 0.05));
    }
    struct figure f = number_of(cell);
    return json_pack("{s:I, s:I, s:f, s:I, s:s}", "values", (json_int_t)cell->value_count, "least",
                     (json_int_t)f.least, "mean", f.mean, "most", (json_int_t)f.most, "unit",
                     cell->info->row == ASSAY_PROPERTY_S21 ? "bytes" : "calls");
}

/* ---- a cell in a few characters -------------------------------------------------------------- */

static const char *where(const struct assay_matrix_cell *cell)
{
    static const char *const names[ASSAY_MOMENT_COUNT] = {"",     "",      " own",
                                                          " nbr", " next", " later"};
    return names[most(cell->moments, ASSAY_MOMENT_COUNT)];
}

/* On purpose, by a guard, or by a fault of the allocator's own, which may be chance. */
static const char *noticed_letter(const struct assay_matrix_cell *cell)
{
    return most(cell->hows, ASSAY_HOW_COUNT) == ASSAY_HOW_FAULT ? "d" : "D";
}

/* Neither 0 nor 100 where it is not quite that. */
static void share(FILE *out, const char *gap, const char *name, uint64_t hits, double n)
{
    double percent = 100 * (double)hits / n;
    bool edge = percent < 100 && (percent < 1 || percent > 99);
    fprintf(out, edge ? "%s%s %.1f%%" : "%s%s %.0f%%", gap, name, percent);
}

/* The effects in the order in which they are told: the row's own first, then by how often. Returns
 * how many there are. */
static size_t ordered_effects(const struct assay_matrix_cell *cell,
                              unsigned ret_effects[ASSAY_EFFECT_COUNT])
{
    uint64_t left[ASSAY_EFFECT_COUNT];
    uint32_t own = assay_misuse_own_effects(cell->info->row);
    size_t n = 0;
    memcpy(left, cell->effects, sizeof left);
    for (unsigned e = ASSAY_EFFECT_COUNT; e-- > 0;) /* an arbitrary write before any write */
        if (own >> e & 1 && left[e]) {
            ret_effects[n++] = e;
            left[e] = 0;
        }
    for (;;) {
        unsigned e = (unsigned)most(left, ASSAY_EFFECT_COUNT);
        if (left[e] == 0)
            return n;
        ret_effects[n++] = e;
        left[e] = 0;
    }
}

/* One that is in every trial of the cell has no share, unless all have. */
static void effects_text(FILE *out, const struct assay_matrix_cell *cell, double n, bool shares)
{
    unsigned effects[ASSAY_EFFECT_COUNT];
    size_t count = ordered_effects(cell, effects);
    for (size_t i = 0; i < count; i++) {
        uint64_t hits = cell->effects[effects[i]];
        const char *gap = i ? ", " : "", *name = assay_effect_name(effects[i]);
        if (shares || (double)hits < n)
            share(out, gap, name, hits, n);
        else
            fprintf(out, "%s%s", gap, name);
    }
}

static void mixed_text(FILE *out, const struct assay_matrix_cell *cell, double n)
{
    const char *gap = "";
    uint64_t detected = cell->outcomes[ASSAY_MISUSE_DETECTED],
             neutral = cell->outcomes[ASSAY_MISUSE_NEUTRALISED],
             effects = cell->outcomes[ASSAY_MISUSE_EFFECT];
    if (effects) {
        effects_text(out, cell, n, true);
        gap = " ";
    }
    if (detected) {
        share(out, gap, noticed_letter(cell), detected, n);
        fputs(where(cell), out);
        gap = " ";
    }
    if (neutral)
        share(out, gap, "N", neutral, n);
}

static void figure_text(FILE *out, const struct assay_matrix_cell *cell)
{
    if (cell->info->flags & ASSAY_MISUSE_ENTROPY) {
        struct assay_collisions c = collisions_of(cell);
        fprintf(out, ">= %.1f bits", assay_entropy_bound(&c, 0.05));
        return;
    }
    struct figure f = number_of(cell);
    fprintf(out, "%llu / %.0f", (unsigned long long)f.least, f.mean);
}

static bool is_unanimous(const struct assay_matrix_cell *cell)
{
    unsigned kinds = 0;
    for (unsigned o = ASSAY_MISUSE_DETECTED; o < ASSAY_MISUSE_COUNT; o++)
        kinds += cell->outcomes[o] > 0;
    return kinds <= 1;
}

static json_t *cell_text(const struct assay_matrix_cell *cell, bool contradicts)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    double n = (double)(cell->trials - cell->outcomes[ASSAY_MISUSE_VOID]);
    ASSAY_CHECK(out);
    enum assay_matrix_state state = assay_matrix_state(cell);
    bool settled = state == ASSAY_MATRIX_DETECTED || state == ASSAY_MATRIX_NEUTRALISED ||
                   state == ASSAY_MATRIX_EFFECT;
    if (settled && !is_unanimous(cell))
        state = ASSAY_MATRIX_MIXED; /* rare ones are told too */
    switch (state) {
    case ASSAY_MATRIX_DETECTED: fprintf(out, "%s%s", noticed_letter(cell), where(cell)); break;
    case ASSAY_MATRIX_NEUTRALISED: fputs("N", out); break;
    case ASSAY_MATRIX_EFFECT: effects_text(out, cell, n, false); break;
    case ASSAY_MATRIX_MEASURED: figure_text(out, cell); break;
    case ASSAY_MATRIX_MIXED: mixed_text(out, cell, n); break;
    case ASSAY_MATRIX_UNDECIDED:
        mixed_text(out, cell, n);
        if (!contradicts)
            fputs(" ?", out);
        break;
    default: fputs("-", out); break;
    }
    if (contradicts)
        fputs(" !", out);
    ASSAY_CHECK(fclose(out) == 0 && text);
    json_t *value = json_string(text);
    free(text);
    return value;
}

/* ---- objects -------------------------------------------------------------------------------- */

static json_t *rate_object(uint64_t hits, uint64_t n)
{
    struct assay_interval w = assay_wilson(hits, n, Z95);
    return json_pack("{s:I, s:f, s:f, s:f}", "n", (json_int_t)hits, "rate",
                     n ? (double)hits / (double)n : 0.0, "low", w.low, "high", w.high);
}

static json_t *counts_object(const uint64_t *counts, size_t n, const char *(*name)(unsigned))
{
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++)
        if (counts[i])
            json_object_set_new(object, name((unsigned)i), json_integer((json_int_t)counts[i]));
    return object;
}

static json_t *effects_object(const struct assay_matrix_cell *cell)
{
    unsigned effects[ASSAY_EFFECT_COUNT];
    size_t count = ordered_effects(cell, effects);
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, assay_effect_name(effects[i]),
                            json_integer((json_int_t)cell->effects[effects[i]]));
    return object;
}

void assay_matrix_contradiction(const struct assay_matrix_cell *cell,
                                const struct assay_profile *profile, char *ret_text, size_t room)
{
    const char *id = assay_property_info(cell->info->row)->id, *key = cell->info->promise_key;
    uint32_t bound = assay_misuse_bound(cell->info, profile);
    if (bound && cell->info->flags & ASSAY_MISUSE_ENTROPY) {
        struct assay_collisions c = collisions_of(cell);
        snprintf(ret_text, room,
                 "promises '%s = %lu', but %s (%s) has %.1f bits at most: %llu of %llu values "
                 "differ",
                 key, (unsigned long)bound, id, cell->info->variant,
                 assay_matrix_entropy_most(cell), (unsigned long long)c.distinct,
                 (unsigned long long)c.n);
        return;
    }
    if (bound) {
        struct figure f = number_of(cell);
        bool at_most = cell->info->promise == ASSAY_PROMISE_AT_MOST;
        snprintf(ret_text, room, "promises '%s = %lu', but %s (%s) came to %llu", key,
                 (unsigned long)bound, id, cell->info->variant,
                 (unsigned long long)(at_most ? f.most : f.least));
        return;
    }
    int length = snprintf(
        ret_text, room,
        "promises '%s', but of %llu times %s (%s) was noticed %llu times and had an effect "
        "%llu times",
        key, (unsigned long long)(cell->trials - cell->outcomes[ASSAY_MISUSE_VOID]), id,
        cell->info->variant, (unsigned long long)cell->outcomes[ASSAY_MISUSE_DETECTED],
        (unsigned long long)cell->outcomes[ASSAY_MISUSE_EFFECT]);
    unsigned effects[ASSAY_EFFECT_COUNT];
    size_t count = ordered_effects(cell, effects);
    for (size_t i = 0; i < count && length > 0 && (size_t)length < room; i++)
        length +=
            snprintf(ret_text + length, room - (size_t)length, "%s%s %llu%s", i ? ", " : " (",
                     assay_effect_name(effects[i]), (unsigned long long)cell->effects[effects[i]],
                     i + 1 == count ? ")" : "");
}

json_t *assay_matrix_row(const struct assay_matrix *matrix, const struct assay_matrix_cell *cell)
{
    const struct assay_property_info *info = assay_property_info(cell->info->row);
    const struct assay_profile *profile = &matrix->config.profiles[cell->subject];
    bool contradicts = assay_matrix_contradicts(cell, profile);
    enum assay_matrix_state state = assay_matrix_state(cell);
    uint64_t n = cell->trials - cell->outcomes[ASSAY_MISUSE_VOID];
    json_t *row = json_pack(
        "{s:s, s:s, s:o, s:o, s:s, s:o, s:s, s:I, s:I}", "row", info->id, "variant",
        cell->info->variant, "subject", assay_emit_string(matrix->config.shown[cell->subject]),
        "name", assay_emit_string(matrix->config.subjects[cell->subject].name), "verdict",
        state_name(state), "cell", cell_text(cell, contradicts), "unit",
        assay_unit_name(info->unit == ASSAY_UNIT_EVENT ? ASSAY_UNIT_OP : info->unit), "trials",
        (json_int_t)n, "void", (json_int_t)cell->outcomes[ASSAY_MISUSE_VOID]);
    ASSAY_CHECK(row);
    json_object_set_new(row, "reason",
                        state == ASSAY_MATRIX_NOT_JUDGED
                            ? json_string(cell->reason ? cell->reason : "no time")
                            : json_null());
    if (cell->values) {
        json_object_set_new(row, "figure", figure_object(cell));
    } else {
        static const char *const keys[ASSAY_MISUSE_COUNT] = {NULL, "detected", "neutralised",
                                                             "effect"};
        for (unsigned o = ASSAY_MISUSE_DETECTED; o < ASSAY_MISUSE_COUNT; o++)
            json_object_set_new(row, keys[o], rate_object(cell->outcomes[o], n));
        json_object_set_new(row, "effects", effects_object(cell));
        json_object_set_new(row, "noticed",
                            counts_object(cell->moments, ASSAY_MOMENT_COUNT, assay_moment_name));
        json_object_set_new(row, "how", counts_object(cell->hows, ASSAY_HOW_COUNT, assay_how_name));
        json_object_set_new(row, "noticed_after_effect", json_integer((json_int_t)cell->late));
    }
    json_object_set_new(row, "message", cell->said[0] ? json_string(cell->said) : json_null());
    bool promised = assay_misuse_promised(cell->info, profile);
    json_object_set_new(row, "promise",
                        promised ? json_string(cell->info->promise_key) : json_null());
    json_object_set_new(row, "contradicts", json_boolean(contradicts));
    char text[320];
    assay_matrix_contradiction(cell, profile, text, sizeof text);
    json_object_set_new(row, "contradiction", contradicts ? json_string(text) : json_null());
    return row;
}

static bool is_state(const json_t *row, enum assay_matrix_state state)
{
    return strcmp(json_string_value(json_object_get(row, "verdict")), state_name(state)) == 0;
}

json_t *assay_matrix_summary(const struct assay_matrix *matrix, json_t *rows, double seconds)
{
    json_t *subjects = json_array(), *names = json_array(), *judged = json_array(),
           *not_judged = json_array(), *open = json_array();
    json_int_t contradictions = 0, undecided = 0;
    size_t i;
    const json_t *row;
    for (size_t s = 0; s < matrix->config.subject_count; s++) {
        json_array_append_new(subjects, assay_emit_string(matrix->config.shown[s]));
        json_array_append_new(names, assay_emit_string(matrix->config.subjects[s].name));
    }
    for (unsigned p = 1; p < ASSAY_CATALOGUE_COUNT; p++) {
        const char *id = assay_property_info(p)->id;
        bool any = false, undecided_one = false;
        for (size_t c = 0; c < matrix->cell_count; c++)
            undecided_one |=
                matrix->cells[c].info->row == p &&
                (assay_matrix_is_open(&matrix->cells[c],
                                      &matrix->config.profiles[matrix->cells[c].subject]) ||
                 (!matrix->config.promises_only &&
                  assay_matrix_state(&matrix->cells[c]) == ASSAY_MATRIX_UNDECIDED));
        if (undecided_one)
            json_array_append_new(open, json_string(id));
        json_array_foreach(rows, i, row) any |=
            strcmp(json_string_value(json_object_get(row, "row")), id) == 0 &&
            !is_state(row, ASSAY_MATRIX_NOT_JUDGED);
        if (id[0] == 'S')
            json_array_append_new(any ? judged : not_judged, json_string(id));
    }
    json_array_foreach(rows, i, row)
    {
        contradictions += json_is_true(json_object_get(row, "contradicts"));
        undecided += !matrix->config.promises_only && is_state(row, ASSAY_MATRIX_UNDECIDED);
    }
    /* nobody asked what else the trials bring */
    for (size_t c = 0; c < matrix->cell_count && matrix->config.promises_only; c++)
        undecided += assay_matrix_is_open(&matrix->cells[c],
                                          &matrix->config.profiles[matrix->cells[c].subject]);
    json_t *summary = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "subjects", subjects,
        "names", names, "judged", judged, "not_judged", not_judged, "undecided_rows", open, "cells",
        (json_int_t)json_array_size(rows), "contradictions", contradictions, "undecided", undecided,
        "trials", (json_int_t)matrix->trials, "seed", (json_int_t)matrix->config.seed,
        "object_bytes", (json_int_t)matrix->config.size, "seconds", seconds);
    ASSAY_CHECK(summary);
    return summary;
}

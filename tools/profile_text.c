/* A measured profile as an .ini file, what people wrote into one, and one against the other. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracles/oracle.h"
#include "tools/emit.h"
#include "tools/profile.h"
#include "traces/core/printable.h"

enum { WIDTH = 120 };

static const char hand_mark[] = "; by hand: ", about_mark[] = "; about: ",
                  candidate_mark[] = "; candidate: ", candidates_mark[] = "; candidates: ";

/* ---- writing -------------------------------------------------------------------------------- */

/* A comment of any length; `more` begins its further lines. */
static void comment(FILE *out, const char *first, const char *more, const char *text)
{
    struct assay_printable shown;
    const char *rest = assay_printable(&shown, text), *head = first;
    while (*rest) {
        size_t room = WIDTH - strlen(head), length = strlen(rest);
        if (length > room) {
            length = room;
            while (length > room / 2 && rest[length] != ' ')
                length--;
            length = rest[length] == ' ' ? length : room;
        }
        fprintf(out, "%s%.*s\n", head, (int)length, rest);
        rest += length + (rest[length] == ' ');
        head = more;
    }
}

static void functions(FILE *out, const char *title, uint64_t ops)
{
    char text[400] = "";
    for (unsigned kind = 1; kind < ASSAY_OP_COUNT; kind++)
        if (ops >> kind & 1)
            snprintf(text + strlen(text), sizeof text - strlen(text), " %s",
                     assay_op_info(kind)->name);
    if (text[0]) {
        fprintf(out, "; %s:", title);
        comment(out, "", ";  ", text);
    }
}

/* Functions that an executor calls. */
static uint64_t exportable(void)
{
    uint64_t ops = 0;
#define ASSAY_API(KIND, symbol, form) ops |= UINT64_C(1) << ASSAY_OP_##KIND;
#include "traces/runner/apis.def"
#undef ASSAY_API
    return ops;
}

static void head(FILE *out, const struct assay_measuring *measure, const char *name,
                 const struct assay_profile_hand *hand)
{
    const struct assay_subject_spec *spec = measure->config.spec;
    const char *slash = strrchr(spec->path, '/');
    char text[600];
    snprintf(
        text, sizeof text,
        "What %s answers and promises, measured by 'assay profile' " ASSAY_VERSION
        ". Measuring it again with -o keeps what is marked 'about' and 'by hand', and the section "
        "[accepted].",
        name);
    comment(out, "; ", "; ", text);
    if (hand && hand->about[0])
        comment(out, about_mark, ";   ", hand->about);
    snprintf(text, sizeof text, "%.300s%s%s",
             spec->path[0] == '\0' ? "the C library"
             : slash               ? slash + 1
                                   : spec->path,
             spec->build_id[0] ? ", build-id " : "", spec->build_id);
    comment(out, "; subject: ", ";   ", text);
    functions(out, "has", exportable() & ~spec->missing_apis);
    functions(out, "lacks", exportable() & spec->missing_apis);
}

static void key_lines(FILE *out, const json_t *row, const json_t *by_hand)
{
    const json_t *line;
    size_t i;
    const char *key = json_string_value(json_object_get(row, "key"));
    const char *value = json_string_value(json_object_get(row, "value"));
    fputc('\n', out);
    comment(out, "; ", ";   ", json_string_value(json_object_get(row, "meaning")));
    json_array_foreach(json_object_get(row, "evidence"), i, line)
        comment(out, "; - ", ";   ", json_string_value(line));
    if (!json_is_true(json_object_get(row, "told")))
        comment(out, "; not told: ", ";   ", json_string_value(json_object_get(row, "reason")));
    if (by_hand) {
        if (json_is_true(json_object_get(row, "told")))
            fprintf(out, "; measured: %s\n", value);
        comment(out, hand_mark, ";   ", json_string_value(json_object_get(by_hand, "source")));
        value = json_string_value(json_object_get(by_hand, "value"));
    }
    fprintf(out, "%s = %s\n", key, value);
}

static void candidates(FILE *out, const struct assay_measuring *measure)
{
    const json_t *candidate;
    char text[500];
    size_t i;
    if (json_array_size(measure->candidates) == 0)
        return;
    char ended[80] = "";
    if (measure->hangs)
        snprintf(ended, sizeof ended, " (no more were tried, for %llu others hung)",
                 (unsigned long long)measure->hangs);
    snprintf(text, sizeof text,
             "Found by %llu programs from seed %llu%s, and not accepted: what is proved to be the "
             "subject's and known "
             "belongs into [accepted], with the proof.",
             (unsigned long long)measure->programs, (unsigned long long)measure->config.seed,
             ended);
    fputc('\n', out);
    comment(out, candidates_mark, candidates_mark, text);
    json_array_foreach(measure->candidates, i, candidate)
    {
        struct assay_printable reason;
        /* one line each, however long: who looks for them does so line by line */
        fprintf(out, "%s%s = %.300s\n", candidate_mark,
                json_string_value(json_object_get(candidate, "line")),
                assay_printable(&reason, json_string_value(json_object_get(candidate, "reason"))));
    }
}

static void section(FILE *out, const char *name, const json_t *lines)
{
    size_t i;
    const json_t *line;
    if (json_array_size(lines) == 0)
        return;
    fprintf(out, "\n[%s]\n", name);
    json_array_foreach(lines, i, line) fprintf(out, "%s\n", json_string_value(line));
}

void assay_profile_text(FILE *out, const struct assay_measuring *measure, const char *name,
                        const struct assay_profile_hand *hand)
{
    struct assay_printable shown;
    const char *prefix = hand ? hand->profile.names.prefix : "";
    head(out, measure, name, hand);
    fprintf(out, "[profile]\nname = %.31s\n", assay_printable(&shown, name));
    if (prefix[0])
        fprintf(out, "symbol_prefix = %s\n", prefix);
    for (size_t i = 0; i < measure->count; i++) {
        if (!measure->facts[i].wanted)
            continue;
        json_t *row = assay_measuring_row(measure, &measure->facts[i]);
        key_lines(out, row, hand ? json_object_get(hand->keys, measure->facts[i].key->name) : NULL);
        json_decref(row);
    }
    if (hand) {
        section(out, "symbols", hand->symbols);
        section(out, "accepted", hand->accepted);
    }
    candidates(out, measure);
}

/* ---- reading back --------------------------------------------------------------------------- */

static bool begins(const char *line, const char *mark)
{
    return strncmp(line, mark, strlen(mark)) == 0;
}

/* Adds a further line of a wrapped comment. */
static void append(char *text, size_t room, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, room - used, "%s%s", used ? " " : "", more);
}

struct reading {
    struct assay_profile_hand *hand;
    char source[400]; /* of the key that comes */
    char *wrapped;    /* what a line that begins with ";   " continues */
    size_t room;
    json_t *section; /* whose lines are kept; NULL: none */
};

static void take_key(struct reading *reading, const char *line)
{
    char key[64];
    int at = 0;
    if (sscanf(line, "%63[a-z_] = %n", key, &at) != 1 || at == 0)
        return;
    if (reading->source[0])
        json_object_set_new(reading->hand->keys, key,
                            json_pack("{s:o, s:o}", "value", assay_emit_string(line + at), "source",
                                      assay_emit_string(reading->source)));
    reading->source[0] = '\0';
}

static void take_line(struct reading *reading, const char *line)
{
    if (line[0] == '[') {
        reading->section = strcmp(line, "[accepted]") == 0  ? reading->hand->accepted
                           : strcmp(line, "[symbols]") == 0 ? reading->hand->symbols
                                                            : NULL;
    } else if (reading->section) {
        if (!begins(line, candidate_mark) && !begins(line, candidates_mark))
            json_array_append_new(reading->section, assay_emit_string(line));
    } else if (begins(line, about_mark)) {
        reading->wrapped = reading->hand->about;
        reading->room = sizeof reading->hand->about;
        append(reading->wrapped, reading->room, line + strlen(about_mark));
    } else if (begins(line, hand_mark)) {
        reading->wrapped = reading->source;
        reading->room = sizeof reading->source;
        append(reading->wrapped, reading->room, line + strlen(hand_mark));
    } else if (reading->wrapped && begins(line, ";   ")) {
        append(reading->wrapped, reading->room, line + 4);
    } else {
        reading->wrapped = NULL;
        take_key(reading, line);
    }
}

static void drop_empty_end(json_t *lines)
{
    size_t n = json_array_size(lines);
    while (n && json_string_value(json_array_get(lines, n - 1))[0] == '\0')
        json_array_remove(lines, --n);
}

int assay_profile_hand_read(const char *path, struct assay_profile_hand *ret_hand,
                            struct assay_error *err)
{
    char *line = NULL;
    size_t room = 0;
    struct reading reading = {.hand = ret_hand};
    memset(ret_hand, 0, sizeof *ret_hand);
    assay_profile_generic(&ret_hand->profile);
    FILE *file = fopen(path, "re");
    if (!file && errno != ENOENT)
        return assay_fail_errno(err, "cannot read '%s'", path);
    int code = file ? assay_profile_load(path, &ret_hand->profile, err) : 0;
    ret_hand->keys = json_object();
    ret_hand->accepted = json_array();
    ret_hand->symbols = json_array();
    while (file && code == 0 && getline(&line, &room, file) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        take_line(&reading, line);
    }
    free(line);
    if (file)
        fclose(file);
    drop_empty_end(ret_hand->accepted);
    drop_empty_end(ret_hand->symbols);
    if (code < 0)
        assay_profile_hand_free(ret_hand);
    return code;
}

void assay_profile_hand_free(struct assay_profile_hand *hand)
{
    json_decref(hand->keys);
    json_decref(hand->accepted);
    json_decref(hand->symbols);
    memset(hand, 0, sizeof *hand);
}

/* ---- one against the other ------------------------------------------------------------------ */

/* What 0 stands for. */
static uint64_t usual(const struct assay_profile_key *key)
{
    switch (key->offset) {
    case offsetof(struct assay_profile, budget_live_bytes): return ASSAY_DEFAULT_BUDGET_LIVE;
    case offsetof(struct assay_profile, budget_object_bytes): return ASSAY_DEFAULT_BUDGET_OBJECT;
    case offsetof(struct assay_profile, max_alignment): return ASSAY_PAGE_BYTES;
    default: return 0;
    }
}

static uint64_t number_of(const struct assay_profile *profile, const struct assay_profile_key *key)
{
    const char *field = (const char *)profile + key->offset;
    switch (key->type) {
    case ASSAY_PROFILE_ANSWER:
    case ASSAY_PROFILE_ZERO_RESIZE: return *(const uint8_t *)field;
    case ASSAY_PROFILE_BYTES: {
        uint64_t bytes = *(const uint64_t *)(const void *)field;
        return bytes ? bytes : usual(key);
    }
    default: return *(const uint32_t *)(const void *)field;
    }
}

enum assay_profile_check assay_measuring_check(const struct assay_measuring *measure,
                                               const struct assay_profile_fact *fact,
                                               const struct assay_profile_hand *hand)
{
    uint64_t says = number_of(&hand->profile, fact->key);
    uint64_t is = number_of(&measure->profile, fact->key);
    bool answer =
        fact->key->type == ASSAY_PROFILE_ANSWER || fact->key->type == ASSAY_PROFILE_ZERO_RESIZE;
    if (!fact->told)
        return ASSAY_PROFILE_NOT_TOLD;
    if (says == is)
        return ASSAY_PROFILE_AGREES;
    if (says == 0 || (!answer && says < is))
        return ASSAY_PROFILE_PROMISES_LESS;
    if (!answer && (fact->at_least || (fact->most > 0 && (double)says <= fact->most)))
        return ASSAY_PROFILE_NOT_TOLD;
    return json_object_get(hand->keys, fact->key->name) ? ASSAY_PROFILE_BY_HAND
                                                        : ASSAY_PROFILE_CONTRADICTS;
}

const char *assay_profile_check_name(enum assay_profile_check check)
{
    static const char *const names[] = {[ASSAY_PROFILE_AGREES] = "agrees",
                                        [ASSAY_PROFILE_PROMISES_LESS] = "promises less",
                                        [ASSAY_PROFILE_NOT_TOLD] = "not told",
                                        [ASSAY_PROFILE_BY_HAND] = "by hand",
                                        [ASSAY_PROFILE_CONTRADICTS] = "contradicts"};
    return names[check];
}

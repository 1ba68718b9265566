#include "oracles/suppress.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracles/finding.h"
#include "oracles/hint.h"

static const char example[] = "C22 pvalloc not-null = wraps near SIZE_MAX, issue 17";

enum { LINES_MAX = 100000, WORDS_MAX = 4 };

struct entry {
    struct assay_suppression shown;
    char *own; /* the line; shown and subject point into it, or behind it */
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    uint16_t property;
    uint8_t kind, relation; /* 0 = any */
    const char *subject;    /* NULL = any */
};

struct assay_suppressions {
    struct entry *entries;
    size_t count;
};

/* ---- reading ---- */

static bool is_fingerprint(const char *word)
{
    return strlen(word) == ASSAY_FINGERPRINT_BYTES - 1 &&
           strspn(word, "0123456789abcdef") == ASSAY_FINGERPRINT_BYTES - 1;
}

static char *trimmed(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static int take_words(struct entry *entry, char *const words[], int n, struct assay_error *err)
{
    if (n == 1 && is_fingerprint(words[0])) {
        memcpy(entry->fingerprint, words[0], sizeof entry->fingerprint);
        return 0;
    }
    if (n < 3)
        return assay_fail(
            err, ASSAY_E_FORMAT,
            "expected a fingerprint, or property op relation [subject]; a line is '%s'", example);
    entry->property = (uint16_t)assay_property_by_id(words[0]);
    if (entry->property == ASSAY_PROPERTY_NONE)
        return assay_fail(err, ASSAY_E_FORMAT,
                          "no property is called '%.40s'; 'assay list properties' has them",
                          words[0]);
    if (strcmp(words[1], "*") != 0) {
        entry->kind = (uint8_t)assay_op_by_name(words[1], strlen(words[1]));
        if (entry->kind == ASSAY_OP_NONE)
            return assay_fail(err, ASSAY_E_FORMAT, "no op is called '%.40s'%s", words[1],
                              assay_hint_op(words[1]).text);
    }
    if (strcmp(words[2], "*") != 0) {
        entry->relation = (uint8_t)assay_relation_by_name(words[2]);
        if (entry->relation == 0)
            return assay_fail(err, ASSAY_E_FORMAT, "no relation is called '%.40s'%s", words[2],
                              assay_hint_relation(words[2]).text);
    }
    entry->subject = n > 3 ? words[3] : NULL;
    return 0;
}

/* The line is taken apart in place; a copy of what is to be shown goes behind it. */
static int read_line(struct entry *entry, char *line, struct assay_error *err)
{
    char *words[WORDS_MAX], *rest = NULL, *equals = strchr(line, '=');
    int n = 0;
    if (!equals)
        return assay_fail(err, ASSAY_E_FORMAT, "no '= reason'; a line is '%s'", example);
    *equals = '\0';
    entry->shown.reason = trimmed(equals + 1);
    if (entry->shown.reason[0] == '\0')
        return assay_fail(err, ASSAY_E_FORMAT, "no reason behind '='; a line is '%s'", example);
    char *head = trimmed(line);
    size_t length = strlen(head);
    char *copy = strdup(head);
    if (!copy)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    entry->shown.text = copy;
    if (length == 0)
        return assay_fail(err, ASSAY_E_FORMAT, "nothing before '='");
    for (char *word = strtok_r(head, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (n == WORDS_MAX)
            return assay_fail(err, ASSAY_E_FORMAT, "'%.40s' is one word too many", word);
        words[n++] = word;
    }
    return take_words(entry, words, n, err);
}

static int add(struct assay_suppressions *all, char **line, unsigned number,
               struct assay_error *err)
{
    struct entry *grown = realloc(all->entries, (all->count + 1) * sizeof *grown);
    if (!grown)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    all->entries = grown;
    struct entry *entry = &all->entries[all->count++];
    *entry = (struct entry){.own = *line, .shown.line = number};
    *line = NULL;
    return read_line(entry, entry->own, err);
}

static int read_file(FILE *in, const char *path, struct assay_suppressions *all,
                     struct assay_error *err)
{
    char *line = NULL;
    size_t room = 0;
    int code = 0;
    struct assay_error why = {0};
    for (unsigned number = 1; code == 0; number++) {
        ssize_t length = getline(&line, &room, in);
        if (length < 0)
            break;
        const char *start = line + strspn(line, " \t\r\n");
        if (*start == '\0' || *start == '#')
            continue;
        if (all->count == LINES_MAX || strlen(line) != (size_t)length)
            code = assay_fail(&why, all->count == LINES_MAX ? ASSAY_E_LIMIT : ASSAY_E_FORMAT,
                              all->count == LINES_MAX ? "too many lines" : "not a line of text");
        else
            code = add(all, &line, number, &why);
        if (code < 0)
            assay_fail(err, code, "%s:%u: %s", path, number, why.text);
        if (!line)
            room = 0;
    }
    free(line);
    if (code == 0 && ferror(in))
        code = assay_fail_errno(err, "cannot read '%s'", path);
    return code;
}

int assay_suppressions_load(const char *path, struct assay_suppressions **ret_suppressions,
                            struct assay_error *err)
{
    struct assay_suppressions *all = calloc(1, sizeof *all);
    if (!all)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    FILE *in = fopen(path, "re");
    int code = in ? read_file(in, path, all, err) : assay_fail_errno(err, "cannot open '%s'", path);
    if (in)
        fclose(in);
    if (code < 0) {
        assay_suppressions_free(all);
        return code;
    }
    *ret_suppressions = all;
    return 0;
}

void assay_suppressions_free(struct assay_suppressions *suppressions)
{
    if (!suppressions)
        return;
    for (size_t i = 0; i < suppressions->count; i++) {
        free(suppressions->entries[i].own);
        free((void *)(uintptr_t)suppressions->entries[i].shown.text);
    }
    free(suppressions->entries);
    free(suppressions);
}

/* ---- asking ---- */

static bool fits_subject(const struct entry *entry, const char *subject)
{
    if (!entry->subject)
        return true;
    const char *base = strrchr(subject, '/');
    return fnmatch(entry->subject, subject, 0) == 0 ||
           (base && fnmatch(entry->subject, base + 1, 0) == 0);
}

/* By today's fingerprint, or by that of an older scheme. */
static bool names(struct entry *entry, const struct assay_violation *violation)
{
    char today[ASSAY_FINGERPRINT_BYTES], then[ASSAY_FINGERPRINT_BYTES];
    assay_finding_fingerprint(violation, today);
    if (strcmp(entry->fingerprint, today) == 0)
        return true;
    for (unsigned scheme = 1; scheme < ASSAY_FINGERPRINT_SCHEME; scheme++) {
        assay_finding_fingerprint_by(scheme, violation, then);
        if (strcmp(entry->fingerprint, then) != 0)
            continue;
        memcpy(entry->shown.today, today, sizeof today);
        return true;
    }
    return false;
}

static bool fits(struct entry *entry, const struct assay_violation *violation, const char *subject)
{
    if (entry->fingerprint[0])
        return names(entry, violation);
    return assay_finding_named(violation, entry->property, entry->kind, entry->relation) &&
           fits_subject(entry, subject);
}

static void keep_nearest(struct entry *entry, const struct assay_violation *violation)
{
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    if (entry->property != violation->property)
        return;
    assay_finding_fingerprint(violation, fingerprint);
    snprintf(entry->shown.nearest, sizeof entry->shown.nearest, "%s %s %s, fingerprint %s",
             assay_property_info(violation->property)->id, assay_op_info(violation->kind)->name,
             assay_relation_name(violation->relation), fingerprint);
}

const struct assay_suppression *assay_suppressed(struct assay_suppressions *suppressions,
                                                 const struct assay_violation *violation,
                                                 const char *subject, bool count)
{
    for (size_t i = 0; i < suppressions->count; i++) {
        struct entry *entry = &suppressions->entries[i];
        if (!fits(entry, violation, subject)) {
            if (count)
                keep_nearest(entry, violation);
            continue;
        }
        entry->shown.used += count;
        return &entry->shown;
    }
    return NULL;
}

size_t assay_suppressions_count(const struct assay_suppressions *suppressions)
{
    return suppressions->count;
}

const struct assay_suppression *
assay_suppressions_get(const struct assay_suppressions *suppressions, size_t i)
{
    return i < suppressions->count ? &suppressions->entries[i].shown : NULL;
}

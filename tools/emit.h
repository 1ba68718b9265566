/* The one emitter: JSON Lines to stdout with a schema name on each object, or people's text; never
 * both on stdout.
 *
 * A result is built once, as a JSON object; the text form is rendered from the same object by a
 * list of fields, so that the two cannot disagree. Every function takes the reference it is given.
 */
#ifndef ASSAY_EMIT_H
#define ASSAY_EMIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct assay_emit {
    bool json;
};

enum assay_emit_format {
    ASSAY_EMIT_PLAIN,    /* strings, numbers, booleans (yes/no), arrays, objects, null (-) */
    ASSAY_EMIT_COUNT,    /* 1,234,567 */
    ASSAY_EMIT_DECIMAL,  /* two decimals */
    ASSAY_EMIT_RATE,     /* 12.3 M */
    ASSAY_EMIT_BYTES,    /* 64.0 KiB */
    ASSAY_EMIT_DURATION, /* of nanoseconds: 1.4 ms */
};

/* One line of a record or one column of a table. A key that the object lacks, or that has an empty
 * or null value, is left out of a record and is "-" in a table. Lists end with key NULL. */
struct assay_emit_field {
    const char *key;   /* in the JSON object */
    const char *title; /* for people */
    enum assay_emit_format format;
};

/* With --json: prints the object as one line with "schema": schema first, reals with at most three
 * decimals. Else drops it: for
 * objects whose text the command writes itself. */
void assay_emit_object(struct assay_emit *emit, const char *schema, json_t *object);
/* One object: a JSON line, or a "title  value" line per field. */
void assay_emit_record(struct assay_emit *emit, const char *schema,
                       const struct assay_emit_field *fields, json_t *object);
/* A JSON array of objects: a JSON line per row, or aligned columns under a heading; numbers stand
 * right, text left. */
void assay_emit_table(struct assay_emit *emit, const char *schema,
                      const struct assay_emit_field *fields, json_t *rows);
/* A JSON string; what is not UTF-8 (a file's name may be) stands escaped. NULL gives null. */
json_t *assay_emit_string(const char *text);
/* Names that JSON files are to hold as they are must be. */
bool assay_emit_is_utf8(const char *text);
/* The stream for people's text of results: stdout, or stderr with --json. */
FILE *assay_emit_text(struct assay_emit *emit);

#endif

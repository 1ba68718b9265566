#include "tools/emit.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/human.h"
#include "traces/core/error.h"
#include "traces/core/printable.h"

/* Three decimals are more than any figure here is good for. */
static void round_reals(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    if (json_is_real(value))
        json_real_set(value, round(json_real_value(value) * 1000) / 1000);
    json_object_foreach(value, key, item) round_reals(item);
    json_array_foreach(value, i, item) round_reals(item);
}

static void print_line(const char *schema, json_t *object)
{
    json_t *line = json_pack("{s:s}", "schema", schema);
    ASSAY_CHECK(line && json_object_update(line, object) == 0);
    round_reals(line);
    /* in ASCII, so that a terminal may have it too: only DEL is left to be escaped */
    char *text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII |
                                      JSON_REAL_PRECISION(15));
    ASSAY_CHECK(text);
    for (const char *at = text; *at; at++)
        if (*at == 0x7f)
            fputs("\\u007f", stdout);
        else
            putchar(*at);
    putchar('\n');
    fflush(stdout);
    free(text);
    json_decref(line);
}

void assay_emit_object(struct assay_emit *emit, const char *schema, json_t *object)
{
    ASSAY_CHECK(json_is_object(object));
    if (emit->json)
        print_line(schema, object);
    json_decref(object);
}

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    ASSAY_CHECK(copy);
    return copy;
}

static char *copy_printable(const char *text)
{
    size_t bytes = assay_printable_text(NULL, 0, text) + 1;
    char *copy = malloc(bytes);
    ASSAY_CHECK(copy);
    assay_printable_text(copy, bytes, text);
    return copy;
}

static char *render_number(json_t *value, enum assay_emit_format format);

/* "C01 271,360  C02 12": what belongs together is one space apart. */
static char *render_object(json_t *object, enum assay_emit_format format)
{
    char *text = NULL;
    size_t size = 0;
    const char *key;
    json_t *value;
    FILE *out = open_memstream(&text, &size);
    ASSAY_CHECK(out);
    json_object_foreach(object, key, value)
    {
        char *number = json_is_number(value)
                           ? render_number(value, format)
                           : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
        ASSAY_CHECK(number);
        char *name = copy_printable(key);
        fprintf(out, "%s%s %s", ftell(out) > 0 ? "  " : "", name, number);
        free(name);
        free(number);
    }
    ASSAY_CHECK(fclose(out) == 0 && text);
    return text;
}

static char *render_array(json_t *array)
{
    char *text = NULL;
    size_t size = 0, i;
    json_t *item;
    FILE *out = open_memstream(&text, &size);
    ASSAY_CHECK(out);
    json_array_foreach(array, i, item)
    {
        if (i > 0)
            fputs(" ", out);
        if (json_is_string(item)) {
            char *shown = copy_printable(json_string_value(item));
            fputs(shown, out);
            free(shown);
        } else {
            json_dumpf(item, out, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
        }
    }
    ASSAY_CHECK(fclose(out) == 0 && text);
    if (i == 0) {
        free(text);
        return copy_text("none");
    }
    return text;
}

static char *render_number(json_t *value, enum assay_emit_format format)
{
    struct assay_human human;
    double real = json_number_value(value);
    uint64_t whole = json_is_integer(value) ? (uint64_t)json_integer_value(value)
                     : real > 0             ? (uint64_t)real
                                            : 0;
    char text[64];
    switch (format) {
    case ASSAY_EMIT_COUNT: return copy_text(assay_human_count(&human, whole));
    case ASSAY_EMIT_RATE: return copy_text(assay_human_rate(&human, real));
    case ASSAY_EMIT_BYTES: return copy_text(assay_human_bytes(&human, whole));
    case ASSAY_EMIT_DURATION: return copy_text(assay_human_duration(&human, whole));
    case ASSAY_EMIT_DECIMAL: snprintf(text, sizeof text, "%.2f", real); return copy_text(text);
    case ASSAY_EMIT_PLAIN: break;
    }
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        snprintf(text, sizeof text, "%.6g", real);
    return copy_text(text);
}

/* What has nothing to say is left out of a record. */
static bool is_empty(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

/* malloc'd text of a value; never NULL. */
static char *render(json_t *value, enum assay_emit_format format)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        return copy_printable(json_string_length(value) ? json_string_value(value) : "-");
    case JSON_INTEGER:
    case JSON_REAL: return render_number(value, format);
    case JSON_TRUE: return copy_text("yes");
    case JSON_FALSE: return copy_text("no");
    case JSON_ARRAY: return render_array(value);
    case JSON_NULL: return copy_text("-");
    case JSON_OBJECT: break;
    }
    return render_object(value, format);
}

/* Lists are wrapped, under their first word; other values stay in one line. */
static void print_value(json_t *value, const char *text, int indent)
{
    enum { WIDTH = 100 };
    int at = indent;
    if (!json_is_array(value) && !json_is_object(value)) {
        puts(text);
        return;
    }
    const char *gap = json_is_object(value) ? "  " : " ";
    while (*text) {
        const char *end = strstr(text, gap);
        int length = end ? (int)(end - text) : (int)strlen(text);
        if (at > indent && at + (int)strlen(gap) + length > WIDTH)
            at = printf("\n%*s", indent, "") - 1;
        else if (at > indent)
            at += printf("%s", gap);
        at += printf("%.*s", length, text);
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

void assay_emit_record(struct assay_emit *emit, const char *schema,
                       const struct assay_emit_field *fields, json_t *object)
{
    ASSAY_CHECK(json_is_object(object));
    if (emit->json) {
        print_line(schema, object);
        json_decref(object);
        return;
    }
    int width = 0;
    for (const struct assay_emit_field *f = fields; f->key; f++)
        if (!is_empty(json_object_get(object, f->key)) && (int)strlen(f->title) > width)
            width = (int)strlen(f->title);
    for (const struct assay_emit_field *f = fields; f->key; f++) {
        json_t *value = json_object_get(object, f->key);
        if (is_empty(value))
            continue;
        char *text = render(value, f->format);
        printf("%-*s  ", width, f->title);
        print_value(value, text, width + 2);
        free(text);
    }
    fflush(stdout);
    json_decref(object);
}

/* Columns of characters, not bytes: UTF-8 continuation bytes take none. */
static int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const char *text, int width, bool right, bool last)
{
    int pad = width - text_width(text);
    if (right)
        printf("%*s%s", pad, "", text);
    else
        printf("%s%*s", text, last ? 0 : pad, "");
    fputs(last ? "\n" : "  ", stdout);
}

void assay_emit_table(struct assay_emit *emit, const char *schema,
                      const struct assay_emit_field *fields, json_t *rows)
{
    ASSAY_CHECK(json_is_array(rows));
    size_t columns = 0, i;
    json_t *row;
    if (emit->json) {
        json_array_foreach(rows, i, row) print_line(schema, row);
        json_decref(rows);
        return;
    }
    while (fields[columns].key)
        columns++;
    int *widths = calloc(columns + 1, sizeof *widths);
    bool *right = calloc(columns + 1, sizeof *right);
    ASSAY_CHECK(widths && right);
    for (size_t c = 0; c < columns; c++)
        widths[c] = text_width(fields[c].title);
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < columns; c++) {
            json_t *value = json_object_get(row, fields[c].key);
            char *text = render(value, fields[c].format);
            if (text_width(text) > widths[c])
                widths[c] = text_width(text);
            right[c] = right[c] || json_is_number(value);
            free(text);
        }
    }
    for (size_t c = 0; c < columns; c++)
        print_cell(fields[c].title, widths[c], right[c], c + 1 == columns);
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < columns; c++) {
            char *text = render(json_object_get(row, fields[c].key), fields[c].format);
            print_cell(text, widths[c], right[c], c + 1 == columns);
            free(text);
        }
    }
    fflush(stdout);
    free(widths);
    free(right);
    json_decref(rows);
}

bool assay_emit_is_utf8(const char *text)
{
    json_t *string = json_string(text);
    json_decref(string);
    return string != NULL;
}

json_t *assay_emit_string(const char *text)
{
    json_t *value = text ? json_string(text) : json_null();
    if (!value && text) {
        char *escaped = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&escaped, &size);
        ASSAY_CHECK(out);
        for (; *text; text++)
            fprintf(out, (unsigned char)*text >= 0x80 ? "\\x%02x" : "%c", (unsigned char)*text);
        ASSAY_CHECK(fclose(out) == 0 && escaped);
        value = json_string(escaped);
        free(escaped);
    }
    ASSAY_CHECK(value);
    return value;
}

FILE *assay_emit_text(struct assay_emit *emit)
{
    return emit->json ? stderr : stdout;
}

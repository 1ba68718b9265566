#include "traces/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "traces/trace_meta.h"

static const char *const flag_names[8] = {
    "begin", "end", "library", "misuse", "skipped", "preexisting", "usable", "executed",
};
static const char *const fact_names[8] = {
    "content", "prefix", "zero", "foreign", "out", "usable", "readable", "siblings",
};

enum field_type {
    FIELD_NUMBER,  /* decimal */
    FIELD_SIGNED,  /* decimal with sign */
    FIELD_FAMILY,  /* a name, or family-N */
    FIELD_PLACE,   /* a name, or place-N */
    FIELD_FLAGS,   /* names joined by commas */
    FIELD_FACTS,   /* names joined by commas */
    FIELD_ADDRESS, /* hex; only where it is an address */
    FIELD_VALUE,   /* decimal; only where it is not */
};

struct field {
    const char *key;
    enum field_type type;
    size_t offset, bytes;
};

#define FIELD(key, type, member)                                                                   \
    {                                                                                              \
        key, type, offsetof(struct assay_event, member), sizeof((struct assay_event){0}.member)    \
    }
static const struct field fields[] = {
    FIELD("process", FIELD_NUMBER, process),   FIELD("thread", FIELD_NUMBER, thread),
    FIELD("place", FIELD_PLACE, place),        FIELD("object", FIELD_NUMBER, object),
    FIELD("size", FIELD_NUMBER, size),         FIELD("arg", FIELD_NUMBER, arg),
    FIELD("born", FIELD_NUMBER, born),         FIELD("address", FIELD_ADDRESS, address),
    FIELD("value", FIELD_VALUE, value),        FIELD("extra", FIELD_SIGNED, usable_extra),
    FIELD("time", FIELD_NUMBER, time),         FIELD("site", FIELD_NUMBER, site),
    FIELD("error", FIELD_NUMBER, error),       FIELD("signal", FIELD_NUMBER, signal),
    FIELD("family", FIELD_FAMILY, family),     FIELD("flags", FIELD_FLAGS, flags),
    FIELD("checked", FIELD_FACTS, checked),    FIELD("failed", FIELD_FACTS, failed),
    FIELD("wrong_at", FIELD_NUMBER, wrong_at),
};
#define FIELDS (sizeof fields / sizeof *fields)

static uint64_t get(const struct assay_event *event, const struct field *field)
{
    uint64_t value = 0; /* little-endian: the low bytes come first */
    memcpy(&value, (const char *)event + field->offset, field->bytes);
    return value;
}

static void set(struct assay_event *event, const struct field *field, uint64_t value)
{
    memcpy((char *)event + field->offset, &value, field->bytes);
}

/* Is the union an address for this kind? */
static bool holds_address(const struct assay_event *event)
{
    switch (assay_op_info(event->kind)->op_class) {
    case ASSAY_CLASS_ALLOCATE:
    case ASSAY_CLASS_RELEASE:
    case ASSAY_CLASS_RESIZE: return true;
    default: return false;
    }
}

/* ---- printing ---- */

struct print {
    char *at, *end;
};

static void put(struct print *print, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct print *print, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(print->at, (size_t)(print->end - print->at), format, args);
    va_end(args);
    ASSAY_CHECK(n >= 0 && n < print->end - print->at);
    print->at += n;
}

static void put_bits(struct print *print, uint64_t bits, const char *const names[8])
{
    const char *comma = "";
    for (unsigned bit = 0; bit < 8; bit++)
        if (bits >> bit & 1) {
            put(print, "%s%s", comma, names[bit]);
            comma = ",";
        }
}

static void put_field(struct print *print, const struct field *field, uint64_t value)
{
    put(print, " %s=", field->key);
    switch (field->type) {
    case FIELD_NUMBER:
    case FIELD_VALUE: put(print, "%" PRIu64, value); break;
    case FIELD_ADDRESS: put(print, "0x%" PRIx64, value); break;
    case FIELD_SIGNED: put(print, "%d", (int)(int32_t)value); break;
    case FIELD_FLAGS: put_bits(print, value, flag_names); break;
    case FIELD_FACTS: put_bits(print, value, fact_names); break;
    case FIELD_FAMILY:
        if (value < ASSAY_FAMILY_COUNT)
            put(print, "%s", assay_family_name((unsigned)value));
        else
            put(print, "family-%" PRIu64, value);
        break;
    case FIELD_PLACE:
        if (value < ASSAY_PLACE_COUNT)
            put(print, "%s", assay_place_name((unsigned)value));
        else
            put(print, "place-%" PRIu64, value);
        break;
    }
}

size_t assay_text_format(const struct assay_event *event, char *line)
{
    struct print print = {line, line + ASSAY_TEXT_EVENT_MAX};
    if (event->kind > 0 && event->kind < ASSAY_OP_COUNT)
        put(&print, "%s", assay_op_info(event->kind)->name);
    else
        put(&print, "kind-%u", event->kind);
    for (size_t i = 0; i < FIELDS; i++) {
        uint64_t value = get(event, &fields[i]);
        if (value == 0 || (fields[i].type == FIELD_ADDRESS && !holds_address(event)) ||
            (fields[i].type == FIELD_VALUE && holds_address(event)))
            continue;
        put_field(&print, &fields[i], value);
    }
    return (size_t)(print.at - line);
}

/* ---- parsing ---- */

static bool parse_number(const char *text, uint64_t max, uint64_t *ret_value)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    *ret_value = strtoull(text, &end, hex ? 16 : 10);
    return errno == 0 && *end == '\0' && *ret_value <= max;
}

static bool parse_numbered(const char *text, const char *prefix, uint64_t *ret_value)
{
    size_t n = strlen(prefix);
    return strncmp(text, prefix, n) == 0 && parse_number(text + n, UINT8_MAX, ret_value);
}

static bool parse_bits(char *text, const char *const names[8], uint64_t *ret_bits)
{
    char *rest = text, *word;
    *ret_bits = 0;
    while ((word = strsep(&rest, ","))) {
        unsigned bit = 0;
        while (bit < 8 && strcmp(word, names[bit]) != 0)
            bit++;
        if (bit == 8)
            return false;
        *ret_bits |= UINT64_C(1) << bit;
    }
    return true;
}

static bool parse_signed(const char *text, uint64_t *ret_value)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    *ret_value = (uint32_t)value;
    return *text && errno == 0 && *end == '\0' && value >= INT32_MIN && value <= INT32_MAX;
}

static bool parse_name(const char *text, const char *(*name)(unsigned), unsigned count,
                       const char *prefix, uint64_t *ret_value)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(text, name(i)) == 0) {
            *ret_value = i;
            return true;
        }
    return parse_numbered(text, prefix, ret_value);
}

static bool parse_value(const struct field *field, char *text, uint64_t *ret_value)
{
    uint64_t max = UINT64_MAX >> (64 - field->bytes * 8);
    switch (field->type) {
    case FIELD_NUMBER:
    case FIELD_ADDRESS:
    case FIELD_VALUE: return parse_number(text, max, ret_value);
    case FIELD_SIGNED: return parse_signed(text, ret_value);
    case FIELD_FLAGS: return parse_bits(text, flag_names, ret_value);
    case FIELD_FACTS: return parse_bits(text, fact_names, ret_value);
    case FIELD_FAMILY:
        return parse_name(text, assay_family_name, ASSAY_FAMILY_COUNT, "family-", ret_value);
    case FIELD_PLACE:
        return parse_name(text, assay_place_name, ASSAY_PLACE_COUNT, "place-", ret_value);
    }
    return false;
}

static int parse_field(char *word, struct assay_event *event, struct assay_error *err)
{
    uint64_t value;
    char *text = strchr(word, '=');
    if (!text)
        return assay_fail(err, ASSAY_E_FORMAT, "'%.40s' is not key=value", word);
    *text++ = '\0';
    for (size_t i = 0; i < FIELDS; i++)
        if (strcmp(word, fields[i].key) == 0) {
            if (!parse_value(&fields[i], text, &value))
                return assay_fail(err, ASSAY_E_FORMAT, "'%.40s' is no value for %s", text, word);
            set(event, &fields[i], value);
            return 0;
        }
    return assay_fail(err, ASSAY_E_FORMAT, "'%.40s' is not a field", word);
}

int assay_text_parse(char *line, struct assay_event *ret_event, struct assay_error *err)
{
    struct assay_event event = {0};
    uint64_t number;
    char *rest = line, *word = strsep(&rest, " \t");
    event.kind = (uint8_t)assay_op_by_name(word, strlen(word));
    if (event.kind == ASSAY_OP_NONE) {
        if (!parse_numbered(word, "kind-", &number))
            return assay_fail(err, ASSAY_E_FORMAT, "'%.40s' is not an op", word);
        event.kind = (uint8_t)number;
    }
    while ((word = strsep(&rest, " \t"))) {
        int code = *word ? parse_field(word, &event, err) : 0;
        if (code)
            return code;
    }
    *ret_event = event;
    return 0;
}

/* ---- strings ---- */

void assay_text_escape(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7f || c == '\\')
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool assay_text_unescape(char *text)
{
    char *to = text;
    while (*text) {
        if (*text != '\\') {
            *to++ = *text++;
            continue;
        }
        int high = text[1] == 'x' ? hex_digit(text[2]) : -1;
        int low = high >= 0 ? hex_digit(text[3]) : -1;
        if (low < 0 || high * 16 + low == 0)
            return false;
        *to++ = (char)(high * 16 + low);
        text += 4;
    }
    *to = '\0';
    return true;
}

/* ---- whole traces ---- */

static void write_meta(const struct assay_trace_reader *reader, FILE *out)
{
    const struct assay_trace_meta *meta = assay_trace_meta(reader);
    char has[256];
    trace_has_print(meta->has, has);
    fprintf(out, "%s\n%%has %s\n", ASSAY_TEXT_MAGIC, has);
    fprintf(out, "%%time_unit_ns %" PRIu32 "\n", assay_trace_time_unit_ns(reader));
    if (meta->start_unix_ns)
        fprintf(out, "%%start_unix_ns %" PRIu64 "\n", meta->start_unix_ns);
    for (unsigned i = 0; i < TRACE_META_STRINGS; i++) {
        const char *text = trace_meta_string_get(meta, i);
        if (!text)
            continue;
        fprintf(out, "%%%s ", trace_meta_strings[i].key);
        assay_text_escape(out, text);
        fputc('\n', out);
    }
}

static uint32_t write_sites(const struct assay_trace_reader *reader, FILE *out, uint32_t written,
                            uint32_t last)
{
    const struct assay_trace_site *site;
    while (written < last && (site = assay_trace_get_site(reader, written + 1))) {
        fprintf(out, "%%site %" PRIu32 " 0x%" PRIx64, ++written, site->address);
        if (site->module) {
            fprintf(out, " 0x%" PRIx64 " ", site->offset);
            assay_text_escape(out, site->module);
        }
        fputc('\n', out);
    }
    return written;
}

static void write_totals(const struct assay_trace_reader *reader, FILE *out)
{
    const struct assay_trace_totals *totals = assay_trace_totals(reader);
    for (unsigned i = 0; i < TRACE_TOTALS; i++)
        if (trace_total_get(totals, i))
            fprintf(out, "%%total %s %" PRIu64 "\n", trace_totals[i].key,
                    trace_total_get(totals, i));
}

int assay_text_write(struct assay_trace_reader *reader, FILE *out, uint64_t head,
                     struct assay_error *err)
{
    enum { BATCH = 256 };
    struct assay_event events[BATCH];
    char line[ASSAY_TEXT_EVENT_MAX];
    uint32_t sites = 0;
    uint64_t left = head ? head : UINT64_MAX;
    long n = 1;
    write_meta(reader, out);
    while (left > 0 && !ferror(out) &&
           (n = assay_trace_read(reader, events, left < BATCH ? (size_t)left : BATCH, err)) > 0) {
        if (!head)
            sites = write_sites(reader, out, sites, UINT32_MAX);
        for (long i = 0; i < n; i++) {
            if (head) /* no more than these events name */
                sites = write_sites(reader, out, sites, events[i].site);
            size_t length = assay_text_format(&events[i], line);
            line[length] = '\n';
            fwrite(line, 1, length + 1, out);
        }
        left -= (uint64_t)n;
    }
    if (n < 0)
        return (int)n;
    if (left > 0) {
        write_sites(reader, out, sites, UINT32_MAX);
        write_totals(reader, out);
    }
    if (fflush(out) != 0 || ferror(out))
        return assay_fail_errno(err, "cannot write the text");
    return 0;
}

#include "traces/trace_meta.h"

#include <stdio.h>
#include <stdlib.h>

#include "traces/trace_format.h"

const struct trace_meta_string trace_meta_strings[TRACE_META_STRINGS] = {
    {"method", offsetof(struct assay_trace_meta, method)},
    {"command", offsetof(struct assay_trace_meta, command)},
    {"host", offsetof(struct assay_trace_meta, host)},
    {"kernel", offsetof(struct assay_trace_meta, kernel)},
    {"allocator", offsetof(struct assay_trace_meta, allocator)},
    {"build_id", offsetof(struct assay_trace_meta, build_id)},
    {"clock", offsetof(struct assay_trace_meta, clock)},
};

const char *trace_meta_string_get(const struct assay_trace_meta *meta, unsigned row)
{
    const char *value;
    memcpy(&value, (const char *)meta + trace_meta_strings[row].offset, sizeof value);
    return value;
}

int trace_meta_string_set(struct trace_meta *meta, unsigned row, const char *value, size_t n)
{
    if (meta->strings[row])
        return ASSAY_E_FORMAT;
    char *copy = strndup(value, n);
    if (!copy)
        return ASSAY_E_MEMORY;
    meta->strings[row] = copy;
    memcpy((char *)&meta->meta + trace_meta_strings[row].offset, &meta->strings[row], sizeof copy);
    return 0;
}

#define TOTAL(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct assay_trace_totals, name),                                          \
            sizeof((struct assay_trace_totals){0}.name)                                            \
    }
const struct trace_total trace_totals[TRACE_TOTALS] = {
    TOTAL(events),        TOTAL(dropped),  TOTAL(nested),      TOTAL(unknown_frees),
    TOTAL(library_calls), TOTAL(repaired), TOTAL(threads),     TOTAL(processes),
    TOTAL(objects),       TOTAL(fragment), TOTAL(lost_blocks),
};

uint64_t trace_total_get(const struct assay_trace_totals *totals, unsigned row)
{
    const char *at = (const char *)totals + trace_totals[row].offset;
    uint64_t wide = 0;
    uint32_t narrow = 0;
    if (trace_totals[row].bytes == sizeof wide) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

bool trace_total_set(struct assay_trace_totals *totals, unsigned row, uint64_t value)
{
    char *at = (char *)totals + trace_totals[row].offset;
    uint32_t narrow = (uint32_t)value;
    if (trace_totals[row].bytes == sizeof value)
        memcpy(at, &value, sizeof value);
    else if (value <= UINT32_MAX)
        memcpy(at, &narrow, sizeof narrow);
    else
        return false;
    return true;
}

void trace_totals_count(struct assay_trace_totals *totals, const struct assay_event *event)
{
    totals->events++;
    if (event->born > totals->objects && assay_event_bears(event))
        totals->objects = event->born;
    if (event->process >= totals->processes)
        totals->processes = event->process + 1u;
    if (event->thread >= totals->threads)
        totals->threads = event->thread + 1u;
}

void trace_has_print(uint64_t has, char text[256])
{
    size_t n = 0;
    text[0] = '\0';
    for (unsigned bit = 0; bit < ASSAY_HAS_COUNT; bit++)
        if (has >> bit & 1)
            n += (size_t)snprintf(text + n, 256 - n, "%s%s", n ? " " : "", assay_has_name(bit));
}

uint64_t trace_has_parse(const char *text)
{
    uint64_t has = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        for (unsigned bit = 0; bit < ASSAY_HAS_COUNT; bit++)
            if (strlen(assay_has_name(bit)) == n && memcmp(assay_has_name(bit), text, n) == 0)
                has |= UINT64_C(1) << bit;
        text += n + (text[n] == ' ');
    }
    return has;
}

/* ---- encoding ---- */

static void put_pair(struct assay_bytes_out *out, const char *key, const char *value)
{
    size_t n = strnlen(value, TRACE_STRING_MAX);
    assay_bytes_put_varint(out, strlen(key));
    assay_bytes_put(out, key, strlen(key));
    assay_bytes_put_varint(out, n);
    assay_bytes_put(out, value, n);
}

static void put_number(struct assay_bytes_out *out, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    put_pair(out, key, text);
}

size_t trace_meta_encode(const struct assay_trace_meta *meta, uint32_t time_unit_ns,
                         uint8_t *payload)
{
    struct assay_bytes_out out = {payload, payload + TRACE_META_MAX, false};
    char has[256];
    trace_has_print(meta->has, has);
    put_pair(&out, "has", has);
    put_number(&out, "time_unit_ns", time_unit_ns);
    if (meta->start_unix_ns)
        put_number(&out, "start_unix_ns", meta->start_unix_ns);
    for (unsigned i = 0; i < TRACE_META_STRINGS; i++) {
        const char *value = trace_meta_string_get(meta, i);
        if (value)
            put_pair(&out, trace_meta_strings[i].key, value);
    }
    return (size_t)(out.at - payload);
}

size_t trace_totals_encode(const struct assay_trace_totals *totals, uint8_t *payload)
{
    struct assay_bytes_out out = {payload, payload + TRACE_META_MAX, false};
    for (unsigned i = 0; i < TRACE_TOTALS; i++)
        if (trace_total_get(totals, i) || i == 0)
            put_number(&out, trace_totals[i].key, trace_total_get(totals, i));
    return (size_t)(out.at - payload);
}

/* ---- decoding ---- */

struct pair {
    const char *key, *value; /* not terminated */
    size_t key_bytes, value_bytes;
};

static bool take_pair(struct assay_bytes_in *in, struct pair *pair)
{
    uint64_t n = assay_bytes_get_varint(in);
    if (in->bad || n > 64)
        return false;
    pair->key_bytes = (size_t)n;
    pair->key = (const char *)assay_bytes_take(in, pair->key_bytes);
    n = assay_bytes_get_varint(in);
    if (in->bad || n > TRACE_STRING_MAX)
        return false;
    pair->value_bytes = (size_t)n;
    pair->value = (const char *)assay_bytes_take(in, pair->value_bytes);
    return !in->bad && !memchr(pair->value, '\0', pair->value_bytes);
}

static bool is_key(const struct pair *pair, const char *key)
{
    return strlen(key) == pair->key_bytes && memcmp(key, pair->key, pair->key_bytes) == 0;
}

/* Decimal digits only, no overflow. */
static bool parse_number(const struct pair *pair, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < pair->value_bytes; i++) {
        unsigned digit = (unsigned)pair->value[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret_value = value;
    return pair->value_bytes > 0;
}

static int keep_pair(const struct pair *pair, struct trace_meta *meta)
{
    uint64_t number;
    if (is_key(pair, "time_unit_ns")) {
        if (!parse_number(pair, &number) || number == 0 || number > UINT32_MAX)
            return ASSAY_E_FORMAT;
        meta->time_unit_ns = (uint32_t)number;
    } else if (is_key(pair, "start_unix_ns")) {
        if (!parse_number(pair, &meta->meta.start_unix_ns))
            return ASSAY_E_FORMAT;
    } else if (is_key(pair, "has")) {
        char *text = strndup(pair->value, pair->value_bytes);
        if (!text)
            return ASSAY_E_MEMORY;
        meta->meta.has = trace_has_parse(text);
        free(text);
    }
    for (unsigned i = 0; i < TRACE_META_STRINGS; i++)
        if (is_key(pair, trace_meta_strings[i].key))
            return trace_meta_string_set(meta, i, pair->value, pair->value_bytes);
    return 0;
}

int trace_meta_decode(const uint8_t *payload, size_t n, struct trace_meta *ret_meta)
{
    struct assay_bytes_in in = {payload, payload + n, false};
    struct trace_meta meta = {.time_unit_ns = 1};
    int code = 0;
    while (in.at < in.end && !code) {
        struct pair pair;
        code = take_pair(&in, &pair) ? keep_pair(&pair, &meta) : ASSAY_E_FORMAT;
    }
    if (code)
        trace_meta_clear(&meta);
    else
        *ret_meta = meta;
    return code;
}

void trace_meta_clear(struct trace_meta *meta)
{
    for (unsigned i = 0; i < TRACE_META_STRINGS; i++)
        free(meta->strings[i]);
    *meta = (struct trace_meta){0};
}

int trace_totals_decode(const uint8_t *payload, size_t n, struct assay_trace_totals *ret_totals)
{
    struct assay_bytes_in in = {payload, payload + n, false};
    struct assay_trace_totals totals = {0};
    while (in.at < in.end) {
        struct pair pair;
        uint64_t number;
        if (!take_pair(&in, &pair))
            return ASSAY_E_FORMAT;
        for (unsigned i = 0; i < TRACE_TOTALS; i++)
            if (is_key(&pair, trace_totals[i].key) &&
                (!parse_number(&pair, &number) || !trace_total_set(&totals, i, number)))
                return ASSAY_E_FORMAT;
    }
    *ret_totals = totals;
    return 0;
}

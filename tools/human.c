#include "tools/human.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *assay_human_count(struct assay_human *buffer, uint64_t n)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n);
    char *out = buffer->text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return buffer->text;
}

const char *assay_human_of(struct assay_human *buffer, uint64_t n, const char *one,
                           const char *many)
{
    struct assay_human count;
    snprintf(buffer->text, sizeof buffer->text, "%s %.18s", assay_human_count(&count, n),
             n == 1 ? one : many);
    return buffer->text;
}

const char *assay_human_ops(struct assay_human *buffer, size_t ops, size_t repeats)
{
    struct assay_human one, count;
    if (repeats == 0)
        return assay_human_of(buffer, ops, "op", "ops");
    /* what is measured stands between the passes, and is not counted */
    snprintf(buffer->text, sizeof buffer->text, "%.20s, %.14s times",
             assay_human_of(&one, ops / repeats, "op", "ops"), assay_human_count(&count, repeats));
    return buffer->text;
}

const char *assay_human_rate(struct assay_human *buffer, double per_second)
{
    static const char *const units[] = {"", " k", " M", " G", " T"};
    size_t unit = 0;
    while (per_second >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        per_second /= 1000;
        unit++;
    }
    int decimals = per_second >= 99.95 || per_second == floor(per_second) ? 0 : 1;
    if (per_second < 9.95 && decimals)
        decimals = 2;
    snprintf(buffer->text, sizeof buffer->text, "%.*f%s", decimals, per_second, units[unit]);
    return buffer->text;
}

const char *assay_human_bytes(struct assay_human *buffer, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    if (bytes < 1024) {
        snprintf(buffer->text, sizeof buffer->text, "%" PRIu64 " bytes", bytes);
        return buffer->text;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    snprintf(buffer->text, sizeof buffer->text, "%.1f %s", value, units[unit]);
    return buffer->text;
}

const char *assay_human_duration(struct assay_human *buffer, uint64_t duration_ns)
{
    double ns = (double)duration_ns;
    char *text = buffer->text;
    size_t room = sizeof buffer->text;
    uint64_t seconds = (uint64_t)(ns / 1e9 + 0.5);
    if (duration_ns < 1000)
        snprintf(text, room, "%" PRIu64 " ns", duration_ns);
    else if (ns < 999.5e3)
        snprintf(text, room, "%.*f us", ns < 9.95e3 ? 1 : 0, ns / 1e3);
    else if (ns < 999.5e6)
        snprintf(text, room, "%.*f ms", ns < 9.95e6 ? 1 : 0, ns / 1e6);
    else if (ns < 99.95e9)
        snprintf(text, room, "%.1f s", ns / 1e9);
    else if (seconds < 3600)
        snprintf(text, room, "%" PRIu64 " min %02" PRIu64 " s", seconds / 60, seconds % 60);
    else
        snprintf(text, room, "%" PRIu64 " h %02" PRIu64 " min", seconds / 3600,
                 seconds % 3600 / 60);
    return text;
}

struct unit {
    const char *name;
    double factor;
};

/* A number and one of the units; the number part is at *ret_value in the first unit's terms. */
static int parse_with_unit(const char *text, const char *what, const struct unit *units,
                           const char *examples, uint64_t *ret_value, struct assay_error *err)
{
    char *end = NULL;
    errno = 0;
    double value = isdigit((unsigned char)*text) || *text == '.' ? strtod(text, &end) : -1;
    if (!end || end == text || errno != 0 || !isfinite(value))
        return assay_fail(err, ASSAY_E_USAGE, "'%.60s' is not a %s; say it like %s", text, what,
                          examples);
    for (const struct unit *u = units; u->name; u++)
        if (strcasecmp(end, u->name) == 0) {
            value *= u->factor;
            if (value >= 18446744073709549568.0)
                return assay_fail(err, ASSAY_E_USAGE, "'%.60s' is too large a %s", text, what);
            *ret_value = (uint64_t)value;
            return 0;
        }
    return assay_fail(err, ASSAY_E_USAGE, "'%.60s' is not a %s; say it like %s", text, what,
                      examples);
}

int assay_parse_duration(const char *text, uint64_t *ret_ns, struct assay_error *err)
{
    static const struct unit units[] = {{"", 1e9},     {"s", 1e9},    {"ms", 1e6},
                                        {"us", 1e3},   {"ns", 1},     {"m", 60e9},
                                        {"min", 60e9}, {"h", 3600e9}, {NULL, 0.0}};
    return parse_with_unit(text, "duration", units, "30s, 2m or 500ms", ret_ns, err);
}

int assay_parse_size(const char *text, uint64_t *ret_bytes, struct assay_error *err)
{
    static const struct unit units[] = {
        {"", 1},        {"b", 1},         {"k", 1024},       {"kib", 1024},
        {"m", 1048576}, {"mib", 1048576}, {"g", 1073741824}, {"gib", 1073741824},
        {"t", 0x1p40},  {"tib", 0x1p40},  {NULL, 0.0},
    };
    /* exact integers beyond 2^53 */
    if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text))
        return assay_parse_number(text, 0, UINT64_MAX, ret_bytes, err);
    return parse_with_unit(text, "size", units, "64M, 16K or 4096", ret_bytes, err);
}

int assay_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number,
                       struct assay_error *err)
{
    char *end = NULL;
    errno = 0;
    uint64_t number = isdigit((unsigned char)*text) ? strtoull(text, &end, 0) : 0;
    if (!end || *end != '\0' || errno != 0)
        return assay_fail(err, ASSAY_E_USAGE, "'%.60s' is not a number", text);
    if (number < min || number > max)
        return assay_fail(err, ASSAY_E_USAGE,
                          "%" PRIu64 " is out of range, %" PRIu64 " to %" PRIu64 " is allowed",
                          number, min, max);
    *ret_number = number;
    return 0;
}

#include "tools/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "traces/core/printable.h"

static const struct argp_option common_options[] = {
    {"json", ASSAY_KEY_JSON, NULL, 0, "print JSON Lines to standard output", -2},
    {"quiet", 'q', NULL, 0, "show no progress", -2},
    {0},
};

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    struct assay_common *common = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->err_stream = NULL; return 0; /* getopt's line says it all */
    case ASSAY_KEY_JSON: common->emit.json = true; return 0;
    case 'q': common->quiet = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp common_argp = {common_options, parse_common, NULL, NULL, NULL, NULL, NULL};

const struct argp_child assay_common_children[] = {
    {&common_argp, 0, NULL, 0},
    {0},
};

/* What argp, getopt and assay_usage say of the words given goes through here: a line each. */
static ssize_t write_printable(void *unused, const char *bytes, size_t n)
{
    (void)unused;
    for (size_t at = 0; at < n;) {
        char line[512];
        struct assay_printable shown;
        size_t length = strnlen(bytes + at, n - at < sizeof line - 1 ? n - at : sizeof line - 1);
        const char *end = memchr(bytes + at, '\n', length);
        length = end ? (size_t)(end - (bytes + at)) : length;
        memcpy(line, bytes + at, length);
        line[length] = '\0';
        dprintf(STDERR_FILENO, "%s%s", assay_printable(&shown, line), end ? "\n" : "");
        at += length + (end != NULL || length == 0);
    }
    return (ssize_t)n;
}

void assay_options_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                         void *input)
{
    argp_err_exit_status = ASSAY_EXIT_USAGE;
    const cookie_io_functions_t functions = {.write = write_printable};
    FILE *kept = stderr, *escaping = fopencookie(NULL, "w", functions);
    ASSAY_CHECK(escaping);
    setvbuf(escaping, NULL, _IOLBF, 0);
    stderr = escaping; /* getopt has no other way to be told */
    error_t code = argp_parse(argp, argc, argv, flags, NULL, input);
    stderr = kept;
    fclose(escaping);
    if (code != 0) {
        if (code != EINVAL)
            fprintf(stderr, "%s: %s\n", program_invocation_name, strerror(code));
        exit(ASSAY_EXIT_USAGE);
    }
}

error_t assay_usage(const struct argp_state *state, const char *format, ...)
{
    char text[8192];
    struct assay_printable shown;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "%s: %s; '%s --help' lists the options\n", state->name,
            assay_printable(&shown, text), state->name);
    exit(ASSAY_EXIT_USAGE);
}

error_t assay_usage_error(const struct argp_state *state, const char *name,
                          const struct assay_error *err)
{
    if (name)
        return assay_usage(state, "--%s: %s", name, err->text);
    return assay_usage(state, "%s", err->text);
}

uint64_t assay_option_duration(const struct argp_state *state, const char *name, const char *arg)
{
    struct assay_error err = {0};
    uint64_t ns = 0;
    if (assay_parse_duration(arg, &ns, &err) < 0)
        assay_usage_error(state, name, &err);
    return ns;
}

uint64_t assay_option_size(const struct argp_state *state, const char *name, const char *arg)
{
    struct assay_error err = {0};
    uint64_t bytes = 0;
    if (assay_parse_size(arg, &bytes, &err) < 0)
        assay_usage_error(state, name, &err);
    return bytes;
}

uint64_t assay_option_number(const struct argp_state *state, const char *name, const char *arg,
                             uint64_t min, uint64_t max)
{
    struct assay_error err = {0};
    uint64_t number = 0;
    if (assay_parse_number(arg, min, max, &number, &err) < 0)
        assay_usage_error(state, name, &err);
    return number;
}

int assay_option_choice(const struct argp_state *state, const char *name, const char *arg,
                        const char *const *choices)
{
    char list[200] = "";
    size_t used = 0;
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], arg) == 0)
            return i;
        const char *comma = i == 0 ? "" : choices[i + 1] ? ", " : " or ";
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", comma, choices[i]);
    }
    assay_usage(state, "--%s: '%.60s' is not one of %s", name, arg, list);
    return -1;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned assay_edit_distance(const char *a, const char *b, unsigned limit)
{
    enum { WORD = 31 };
    unsigned rows[3][WORD + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > WORD || m > WORD)
        return limit + 1;
    for (unsigned j = 0; j <= m; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            row[j] = least(least(above[j] + 1, row[j - 1] + 1),
                           above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], second[j - 2] + 1);
        }
    }
    return least(rows[n % 3][m], limit + 1);
}

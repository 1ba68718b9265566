#include "tools/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "traces/core/printable.h"

enum { KEY_HELP = '?', KEY_USAGE = ASSAY_KEY_JSON + 1, KEY_VERSION = 'V' };

static const struct argp_option common_options[] = {
    {"json", ASSAY_KEY_JSON, NULL, 0, "print JSON Lines to standard output", -2},
    {"help", KEY_HELP, NULL, 0, "print this help", -1},
    {"help", 'h', NULL, OPTION_HIDDEN, NULL, -1},
    {"usage", KEY_USAGE, NULL, 0, "print a short usage line", -1},
    {"version", KEY_VERSION, NULL, 0, "print the version", -1},
    {0},
};

static const struct argp_option progress_options[] = {
    {"quiet", 'q', NULL, 0, "show no progress; results and notes stay", -2},
    {0},
};

static FILE *real_stderr; /* while argp parses */

/* Help and version end the program, like argp's own, but not in silence when they were not told. */
static _Noreturn void end_told(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        exit(ASSAY_EXIT_CLEAN);
    fprintf(real_stderr, "assay: cannot write to standard output: %s\n",
            errno ? assay_reason(errno).text : "some of it was lost");
    _exit(ASSAY_EXIT_CANNOT_RUN);
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    struct assay_common *common = state->input;
    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT: state->err_stream = NULL; return 0; /* getopt's line says it all */
    case ASSAY_KEY_JSON: common->emit.json = true; return 0;
    case 'h':
    case KEY_HELP:
    case KEY_USAGE:
        argp_state_help(state, stdout,
                        (key == KEY_USAGE ? ARGP_HELP_USAGE : ARGP_HELP_STD_HELP) &
                            ~(unsigned)(ARGP_HELP_EXIT_OK | ARGP_HELP_EXIT_ERR));
        end_told();
    case KEY_VERSION: puts(argp_program_version); end_told();
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_progress(int key, char *arg, struct argp_state *state)
{
    struct assay_common *common = state->input;
    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = common; return 0;
    case 'q': common->quiet = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp common_argp = {common_options, parse_common, NULL, NULL, NULL, NULL, NULL};

const struct argp_child assay_common_children[] = {
    {&common_argp, 0, NULL, 0},
    {0},
};

static const struct argp progress_argp = {progress_options,      parse_progress, NULL, NULL,
                                          assay_common_children, NULL,           NULL};

const struct argp_child assay_progress_children[] = {
    {&progress_argp, 0, NULL, 0},
    {0},
};

/* The words given may stand in it: shown escaped, a line each. */
static void complain_of_usage(const char *name, const char *text, bool hint)
{
    FILE *out = real_stderr ? real_stderr : stderr;
    struct assay_printable shown;
    fprintf(out, "%s: %s", name, assay_printable(&shown, text));
    if (hint)
        fprintf(out, "; '%s --help' lists the options", name);
    fputc('\n', out);
}

/* What getopt says of the words given goes through here: "name: text", a line each. */
static ssize_t write_complaint(void *unused, const char *bytes, size_t n)
{
    (void)unused;
    const char *name = program_invocation_name;
    char line[8192];
    snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), bytes);
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\n')
        line[length - 1] = '\0';
    size_t skip = strlen(name);
    bool named = strncmp(line, name, skip) == 0 && strncmp(line + skip, ": ", 2) == 0;
    complain_of_usage(name, named ? line + skip + 2 : line, true);
    return (ssize_t)n;
}

void assay_options_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                         void *input)
{
    static char buffer[8192];
    argp_err_exit_status = ASSAY_EXIT_USAGE;
    const cookie_io_functions_t functions = {.write = write_complaint};
    FILE *kept = stderr, *escaping = fopencookie(NULL, "w", functions);
    ASSAY_CHECK(escaping);
    setvbuf(escaping, buffer, _IOFBF, sizeof buffer); /* flushed once: getopt says one thing */
    real_stderr = kept;
    stderr = escaping; /* getopt has no other way to be told */
    error_t code = argp_parse(argp, argc, argv, flags | ARGP_NO_HELP, NULL, input);
    stderr = kept;
    fclose(escaping);
    real_stderr = NULL;
    if (code != 0) {
        if (code != EINVAL)
            fprintf(stderr, "%s: %s\n", program_invocation_name, assay_reason(code).text);
        exit(ASSAY_EXIT_USAGE);
    }
}

static void complain(const struct argp_state *state, bool hint, const char *format, va_list args)
{
    char text[8192];
    vsnprintf(text, sizeof text, format, args);
    complain_of_usage(state->name, text, hint);
}

error_t assay_usage(const struct argp_state *state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(state, true, format, args);
    va_end(args);
    exit(ASSAY_EXIT_USAGE);
}

error_t assay_usage_without_hint(const struct argp_state *state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(state, false, format, args);
    va_end(args);
    exit(ASSAY_EXIT_USAGE);
}

error_t assay_usage_error(const struct argp_state *state, const char *name,
                          const struct assay_error *err)
{
    if (name)
        return assay_usage(state, "--%s: %s", name, err->text);
    return assay_usage(state, "%s", err->text);
}

error_t assay_option_single(const struct argp_state *state, const char **place, char *arg,
                            const char *what)
{
    if (*place)
        return assay_usage(state, "one %s at a time, '%s' is the second", what, arg);
    *place = arg;
    return 0;
}

error_t assay_option_not_recorded(const struct argp_state *state, const char *name,
                                  const char *subject)
{
    if (subject && strcmp(subject, "recorded") == 0)
        return assay_usage(state, "--%s: 'recorded' goes with 'assay replay' only", name);
    return 0;
}

uint64_t assay_option_duration(const struct argp_state *state, const char *name, const char *arg)
{
    struct assay_error err = {0};
    uint64_t ns = 0;
    if (assay_parse_duration(arg, &ns, &err) < 0)
        assay_usage_error(state, name, &err);
    if (ns == 0)
        assay_usage(state, "--%s: 0 leaves no time for anything", name);
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

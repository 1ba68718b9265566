/* assay: the command table, help, and the way from an error to an exit code. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/options.h"
#include "traces/core/nearest.h"
#include "traces/core/printable.h"

struct command {
    const char *name, *group, *summary;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
#define ASSAY_COMMAND(name, group, summary) {#name, group, summary, assay_cmd_##name},
#include "tools/commands.def"
#undef ASSAY_COMMAND
    {NULL, NULL, NULL, NULL},
};

void assay_complain(const char *format, ...)
{
    char line[8192];
    struct assay_printable shown;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fprintf(stderr, "assay: %s\n", assay_printable(&shown, line));
}

int assay_report_error(const struct assay_error *err)
{
    struct assay_printable shown;
    if (err->code == ASSAY_E_INTERRUPTED)
        return assay_interrupt_end();
    if (err->code == ASSAY_E_USAGE)
        fprintf(stderr, "%s: %s\n", program_invocation_name, assay_printable(&shown, err->text));
    else
        assay_complain("%s", err->text);
    switch (err->code) {
    case ASSAY_E_USAGE: return ASSAY_EXIT_USAGE;
    case ASSAY_E_BUG: return ASSAY_EXIT_BUG;
    default: return ASSAY_EXIT_CANNOT_RUN;
    }
}

static void print_help(FILE *out)
{
    const char *group = "";
    fprintf(out, "usage: assay COMMAND [OPTION...]\n\n"
                 "Drives any malloc implementation with generated programs and captured traces, "
                 "checks every\n"
                 "answer against a reference model, and compares two builds.\n");
    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(group, c->group) != 0)
            fprintf(out, "\n%s\n", group = c->group);
        fprintf(out, "  %-12s %s\n", c->name, c->summary);
    }
    fprintf(out, "\n'assay COMMAND --help' tells the options of a command. Exit codes: 0 clean, 1 "
                 "findings,\n"
                 "2 usage, 3 could not run, 4 inconclusive, 70 bug in assay, 125 no subject\n"
                 "(reproduce), 130 interrupted.\n");
}

static const struct command *find_command(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static const char *command_name(size_t i)
{
    return commands[i].name;
}

/* What a command does when it is interrupted, unless it has something to finish. */
static void on_interrupt(int number)
{
    (void)number;
    _exit(assay_interrupt_end());
}

static void catch_interrupt(int number)
{
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

/* A result that was not told whole is no success. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    assay_complain("cannot write to standard output: %s",
                   errno ? assay_reason(errno).text : "some of it was lost");
    return code == ASSAY_EXIT_INTERRUPTED ? code : ASSAY_EXIT_CANNOT_RUN;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    static char program_name[64];
    snprintf(program_name, sizeof program_name, "assay %s", command->name);
    program_invocation_name = program_name; /* argp names the program by it */
    argv[0] = program_name;
    catch_interrupt(SIGINT);
    catch_interrupt(SIGTERM);
    return finish(command->run(argc, argv));
}

static int no_command(const char *name)
{
    const char *nearest =
        name[0] == '-' ? NULL
                       : assay_nearest(name, command_name, sizeof commands / sizeof *commands - 1);
    if (name[0] == '-')
        assay_complain("'%s' is not an option; 'assay help' lists the commands", name);
    else if (nearest)
        assay_complain("'%s' is not a command; did you mean '%s'?", name, nearest);
    else
        assay_complain("'%s' is not a command; 'assay help' lists them", name);
    return ASSAY_EXIT_USAGE;
}

static bool asks_for_help(const char *word)
{
    static const char *const words[] = {"help", "--help", "-h", "-?", NULL};
    for (int i = 0; words[i]; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    const char *name = argc < 2 ? NULL : argv[1];
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit fails like one on a full disk */
    argp_program_version = "assay " ASSAY_VERSION;
    if (!name) {
        print_help(stderr);
        return ASSAY_EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        puts(argp_program_version);
        return finish(ASSAY_EXIT_CLEAN);
    }
    bool help = asks_for_help(name);
    if (help && (argc < 3 || asks_for_help(argv[2]))) {
        print_help(stdout);
        return finish(ASSAY_EXIT_CLEAN);
    }
    if (help)
        name = argv[2];
    const struct command *command = find_command(name);
    if (!command)
        return no_command(name);
    if (help) {
        static char help_option[] = "--help";
        return run_command(command, 2, (char *[]){NULL, help_option, NULL});
    }
    return run_command(command, argc - 1, argv + 1);
}

/* assay: the command table, help, and the way from an error to an exit code. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/command.h"

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

int assay_report_error(const struct assay_error *err)
{
    fprintf(stderr, "assay: %s\n", err->text);
    switch (err->code) {
    case ASSAY_E_USAGE: return ASSAY_EXIT_USAGE;
    case ASSAY_E_BUG: return ASSAY_EXIT_BUG;
    case ASSAY_E_INTERRUPTED: return ASSAY_EXIT_INTERRUPTED;
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
                 "2 usage, 3 could not run, 4 inconclusive, 70 bug in assay, 125 no subject, 130 "
                 "interrupted.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? ASSAY_EXIT_USAGE : ASSAY_EXIT_CLEAN;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("assay " ASSAY_VERSION);
        return ASSAY_EXIT_CLEAN;
    }
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, argv[1]) == 0) {
            static char program_name[64];
            snprintf(program_name, sizeof program_name, "assay %s", c->name);
            program_invocation_name = program_name; /* argp names the program by it */
            argv[1] = program_name;
            return c->run(argc - 1, argv + 1);
        }
    fprintf(stderr, "assay: '%s' is not a command; 'assay help' lists them\n", argv[1]);
    return ASSAY_EXIT_USAGE;
}

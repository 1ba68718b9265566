/* What a command file implements and may use: exit codes, and one place that turns an error into a
 * line and a code. */
#ifndef ASSAY_COMMAND_H
#define ASSAY_COMMAND_H

#include "traces/core/error.h"

enum assay_exit {
    ASSAY_EXIT_CLEAN = 0,    /* clean or same */
    ASSAY_EXIT_FINDINGS = 1, /* findings or differences */
    ASSAY_EXIT_USAGE = 2,
    ASSAY_EXIT_CANNOT_RUN = 3,
    ASSAY_EXIT_INCONCLUSIVE = 4,
    ASSAY_EXIT_BUG = 70,
    ASSAY_EXIT_SUBJECT = 125, /* reproduce: the subject cannot be built or loaded */
    ASSAY_EXIT_INTERRUPTED = 130,
};

#define ASSAY_COMMAND(name, group, summary) int assay_cmd_##name(int argc, char **argv);
#include "tools/commands.def"
#undef ASSAY_COMMAND

/* One line to stderr, "assay: " before it; what came from outside may stand in it as it is: the
 * line is shown escaped. */
void assay_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Complains with the error's text; returns the exit code for the error's code. */
int assay_report_error(const struct assay_error *err);

#endif

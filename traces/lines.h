/* A text file as bounded lines, for readers of text formats. Host side.
 *
 * A line longer than ASSAY_LINE_MAX and a NUL byte are errors, since no format of ours has them:
 * a foreign or hostile file ends here with one message that names file and line. */
#ifndef ASSAY_LINES_H
#define ASSAY_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/core/error.h"

#define ASSAY_LINE_MAX (1u << 17)

struct assay_lines;

/* "-" is standard input. */
int assay_lines_open(const char *path, struct assay_lines **ret_lines, struct assay_error *err);
/* Returns 1 and the next line without its end (valid until the next call), 0 at the end,
 * ASSAY_E_*. */
int assay_lines_next(struct assay_lines *lines, char **ret_line, struct assay_error *err);
/* Number of the line returned last, from 1. */
uint64_t assay_lines_number(const struct assay_lines *lines);
/* ASSAY_E_FORMAT "'FILE' line N: <text>". */
int assay_lines_fail(const struct assay_lines *lines, struct assay_error *err, const char *what);
void assay_lines_close(struct assay_lines *lines);

#endif

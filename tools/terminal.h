/* What a stream's terminal can do. */
#ifndef ASSAY_TERMINAL_H
#define ASSAY_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* True if the stream is a terminal that understands escapes (TERM is set and not "dumb"). */
bool assay_terminal_is(FILE *stream);
/* Width in columns; 80 when it is not known. */
unsigned assay_terminal_columns(FILE *stream);
/* True if colours are wanted: a terminal, and NO_COLOR is not set. */
bool assay_terminal_colour(FILE *stream);

#endif

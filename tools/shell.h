/* Lines that can be pasted into a shell: the reproduce and next lines of findings. */
#ifndef ASSAY_SHELL_H
#define ASSAY_SHELL_H

#include <stdio.h>

/* Writes one word, quoted where a POSIX shell would not take it as it is; what a terminal must
 * not see (traces/core/printable.h) as $'...', so that the line stays one line. */
void assay_shell_word(FILE *out, const char *word);
/* The words up to a NULL, one space between. Returns malloc'ed text; never NULL. */
char *assay_shell_line(const char *word, ...) __attribute__((sentinel));

#endif

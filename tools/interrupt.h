/* Interrupts (SIGINT, SIGTERM) of commands that have something to bring to its end. The others end
 * at once, by tools/main.c. */
#ifndef ASSAY_INTERRUPT_H
#define ASSAY_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

/* Not 0 since the first; for loops to look at. */
extern volatile sig_atomic_t assay_interrupted;

/* From here on interrupts are noted. impatient: a second one ends the command as it stands. */
void assay_catch_interrupts(bool impatient);
/* The one line that every interrupted command ends with; returns the exit code. Safe in a signal
 * handler. */
int assay_interrupt_end(void);

#endif

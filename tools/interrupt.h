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
/* After assay_catch_interrupts: what has not come to its end so many seconds after an interrupt is
 * ended as it stands. 0: it may take its time again. */
void assay_interrupt_within(unsigned seconds);
/* What the line says besides: that the file was not written. NULL: nothing. Not to be called where
 * an interrupt is handled. */
void assay_interrupt_unwritten(const char *file);
/* The one line that every interrupted command ends with; returns the exit code. Safe in a signal
 * handler. */
int assay_interrupt_end(void);

#endif

#include "tools/interrupt.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "tools/command.h"
#include "traces/core/printable.h"

volatile sig_atomic_t assay_interrupted;

static volatile sig_atomic_t within_seconds;

static void on_interrupt(int signal)
{
    (void)signal;
    assay_interrupted = 1;
    if (within_seconds)
        alarm((unsigned)within_seconds);
}

static void on_deadline(int signal)
{
    (void)signal;
    _exit(assay_interrupt_end());
}

void assay_interrupt_within(unsigned seconds)
{
    struct sigaction action = {.sa_handler = on_deadline};
    within_seconds = (int)seconds;
    alarm(0);
    sigaction(SIGALRM, &action, NULL);
}

void assay_catch_interrupts(bool impatient)
{
    struct sigaction action = {.sa_handler = on_interrupt,
                               .sa_flags = SA_RESTART | (impatient ? (int)SA_RESETHAND : 0)};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static char unwritten[512];
static volatile sig_atomic_t unwritten_bytes;

void assay_interrupt_unwritten(const char *file)
{
    struct assay_printable shown;
    unwritten_bytes = 0;
    if (file)
        unwritten_bytes =
            snprintf(unwritten, sizeof unwritten, "assay: interrupted, '%.400s' was not written\n",
                     assay_printable(&shown, file));
}

int assay_interrupt_end(void)
{
    static const char plain[] = "assay: interrupted\n";
    int saved = errno, bytes = unwritten_bytes;
    ssize_t n = bytes ? write(STDERR_FILENO, unwritten, (size_t)bytes)
                      : write(STDERR_FILENO, plain, sizeof plain - 1);
    (void)n;
    errno = saved;
    return ASSAY_EXIT_INTERRUPTED;
}

#include "tools/interrupt.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "tools/command.h"

volatile sig_atomic_t assay_interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    assay_interrupted = 1;
}

void assay_catch_interrupts(bool impatient)
{
    struct sigaction action = {.sa_handler = on_interrupt,
                               .sa_flags = SA_RESTART | (impatient ? (int)SA_RESETHAND : 0)};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int assay_interrupt_end(void)
{
    static const char line[] = "assay: interrupted\n";
    int saved = errno;
    ssize_t n = write(STDERR_FILENO, line, sizeof line - 1);
    (void)n;
    errno = saved;
    return ASSAY_EXIT_INTERRUPTED;
}

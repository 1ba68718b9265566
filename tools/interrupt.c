#include "tools/interrupt.h"

#include <stddef.h>

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

/* Part of libbulwark.so in the preset coverage only: a death test ends in a signal, and gcov writes
 * its counts at exit. So they are written when the signal comes; it then goes on its way. */
#include <signal.h>
#include <unistd.h>

extern void __gcov_dump(void);

enum { PATIENCE_S = 10 }; /* writing allocates: a lock of the heap may be held */

static void on_end(int signal_number)
{
    signal(signal_number, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    alarm(PATIENCE_S);
    __gcov_dump();
    alarm(0);
    raise(signal_number);
}

static void __attribute__((constructor)) install(void)
{
    signal(SIGABRT, on_end);
    signal(SIGSEGV, on_end);
}

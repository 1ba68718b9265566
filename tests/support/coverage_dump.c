/* Part of libbulwark.so in the preset coverage only: a death test ends in a signal, and gcov writes
 * its counts at exit. So they are written when the signal comes; it then goes on its way. Writing
 * allocates, and may meet the damage that the process died of again: then it ends as it was about
 * to, and the second report, which no other build has, is not seen. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

extern void __gcov_dump(void);

enum { PATIENCE_S = 10 }; /* a lock of the heap may be held */

static volatile sig_atomic_t first;

static void end_of_that(int again)
{
    sigset_t ending;
    (void)again;
    signal(first, SIG_DFL);
    sigemptyset(&ending);
    sigaddset(&ending, first); /* this may stand in its handler */
    sigprocmask(SIG_UNBLOCK, &ending, NULL);
    raise(first);
}

static void on_end(int signal_number)
{
    first = signal_number;
    signal(SIGABRT, end_of_that);
    signal(SIGSEGV, end_of_that);
    signal(SIGALRM, end_of_that);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int errors = dup(STDERR_FILENO);
    dup2(nowhere, STDERR_FILENO);
    alarm(PATIENCE_S);
    __gcov_dump();
    alarm(0);
    dup2(errors, STDERR_FILENO);
    end_of_that(signal_number);
}

static void __attribute__((constructor)) install(void)
{
    signal(SIGABRT, on_end);
    signal(SIGSEGV, on_end);
}

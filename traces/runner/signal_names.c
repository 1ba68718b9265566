/* A thread of the subject that blocks SIGTRAP ends the process where it comes upon a breakpoint
 * (preempt.h): by the C library's names, which the executable exports, it does not get that signal
 * blocked. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* How the kernel has them: a bit for each signal, from 1 on. */
static uint64_t bit_of(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

EXPORT int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    uint64_t asked = 0;
    int kept = errno;
    if (set)
        memcpy(&asked, set, sizeof asked);
    if (how != SIG_UNBLOCK)
        asked &= ~bit_of(SIGTRAP);
    for (int own = __SIGRTMIN; own < SIGRTMIN; own++) /* the C library's, which nobody may block */
        asked &= ~bit_of(own);
    long failed = syscall(SYS_rt_sigprocmask, how, set ? &asked : NULL, old, sizeof asked);
    int code = failed ? errno : 0;
    errno = kept;
    return code;
}

EXPORT int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    int code = pthread_sigmask(how, set, old);
    if (code != 0)
        errno = code;
    return code == 0 ? 0 : -1;
}

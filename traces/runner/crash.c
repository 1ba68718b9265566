#include "traces/runner/crash.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
enum { SIGNALS = sizeof signals / sizeof *signals, STACK_BYTES = 64 * 1024 };
enum { YIELD_MS = 1000 };

static struct assay_crash_record *crash_record;
static void (*crash_notify)(int signal);
static struct sigaction previous[SIGNALS];
static __thread struct assay_landing *thread_landing;

static void hand_on(int signal, siginfo_t *info, void *context)
{
    for (int i = 0; i < SIGNALS; i++) {
        if (signals[i] != signal)
            continue;
        if (previous[i].sa_flags & SA_SIGINFO) {
            previous[i].sa_sigaction(signal, info, context);
        } else if (previous[i].sa_handler != SIG_DFL && previous[i].sa_handler != SIG_IGN) {
            previous[i].sa_handler(signal);
        } else {
            sigaction(signal, &previous[i], NULL);
            raise(signal);
        }
        return;
    }
}

static void record(int signal, const siginfo_t *info, const ucontext_t *machine)
{
    crash_record->address =
        signal == SIGABRT || signal == SIGTRAP ? 0 : (uint64_t)(uintptr_t)info->si_addr;
#if defined(__x86_64__)
    crash_record->pc = (uint64_t)machine->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    crash_record->pc = machine->uc_mcontext.pc;
#else
    (void)machine;
#endif
    atomic_store(&crash_record->signal, signal);
}

/* Another thread crashed first: its exit ends this one too, and ours now would end it half way
 * through its record. Not for ever: the writer may have been a forked process, or be stuck. */
static void yield_to_writer(void)
{
    const struct timespec nap = {0, 1000000};
    for (int i = 0; i < YIELD_MS; i++)
        nanosleep(&nap, NULL);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    struct assay_landing *landing = thread_landing;
    if (landing && landing->armed && (signal == SIGSEGV || signal == SIGBUS)) {
        landing->armed = 0;
        landing->fault_address = (uintptr_t)info->si_addr;
        /* a subject's own handler, put before ours at its first call, may have handed this on with
         * the signal blocked */
        sigset_t handled;
        sigemptyset(&handled);
        sigaddset(&handled, signal);
        sigprocmask(SIG_UNBLOCK, &handled, NULL);
        siglongjmp(landing->place, signal);
    }
    if (!crash_record) {
        hand_on(signal, info, context);
        return;
    }
    int writer = 0, self = (int)syscall(SYS_gettid);
    if (atomic_compare_exchange_strong(&crash_record->writer, &writer, self)) {
        record(signal, info, context);
        assay_crash_capture(&crash_record->capture, info, context); /* a fault in it ends here */
        if (crash_notify)
            crash_notify(signal);
    } else if (writer != self) {
        yield_to_writer();
    }
    _exit(ASSAY_CRASH_EXIT_CODE);
}

void assay_crash_notify(void (*notify)(int signal))
{
    crash_notify = notify;
}

struct assay_landing *assay_crash_landing(struct assay_landing *landing)
{
    struct assay_landing *before = thread_landing;
    thread_landing = landing;
    return before;
}

int assay_crash_thread(void *stack, size_t bytes, struct assay_error *err)
{
    stack_t alternate = {.ss_sp = stack, .ss_size = bytes};
    if (sigaltstack(&alternate, NULL) != 0)
        return assay_fail_errno(err, "cannot set an alternate signal stack");
    return 0;
}

int assay_crash_install(struct assay_crash_record *record, struct assay_error *err)
{
    crash_record = record;
    stack_t now;
    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE)) {
        void *stack =
            mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack == MAP_FAILED)
            return assay_fail_errno(err, "cannot map a signal stack");
        int code = assay_crash_thread(stack, STACK_BYTES, err);
        if (code < 0)
            return code;
    }
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    /* NODEFER: siglongjmp leaves the handler without a return, and the mask is not saved */
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction old;
        if (sigaction(signals[i], &action, &old) != 0)
            return assay_fail_errno(err, "cannot handle signal %d", signals[i]);
        if (!(old.sa_flags & SA_SIGINFO) || old.sa_sigaction != on_signal)
            previous[i] = old;
    }
    return 0;
}

/* Faults of the subject: a handler on an alternate stack that recovers or records.
 *
 * While a thread touches memory on purpose (an access op, or the touch unit) it has a landing
 * place, and a fault there comes back to it by siglongjmp. Any other fault is the subject's: it is
 * written into the record and the process ends by _exit, or, where no record is given (the engine),
 * goes to the handler that was there before. Async-signal-safe throughout. */
#ifndef ASSAY_CRASH_H
#define ASSAY_CRASH_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>

#include "traces/core/error.h"
#include "traces/runner/crash_capture.h"

/* Plain data in shared memory. Of threads that crash at once the first writes it. */
struct assay_crash_record {
    _Atomic int writer; /* its thread id; claimed before the rest is written */
    _Atomic int signal; /* written last */
    uint64_t address;   /* si_addr */
    uint64_t pc;
    struct assay_crash_capture capture;
};

enum { ASSAY_CRASH_EXIT_CODE = 97 };

/* Where a fault of this thread lands; one per thread, innermost only. */
struct assay_landing {
    sigjmp_buf place;
    volatile int armed; /* set just before memory is touched, cleared after */
    volatile uintptr_t fault_address;
};

/* Handlers for SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTRAP and SIGSYS; the calling thread
 * gets an alternate stack. record may be NULL. Calling it again replaces record and
 * takes back signals that somebody took since. */
int assay_crash_install(struct assay_crash_record *record, struct assay_error *err);
/* Called from the handler, after the record is written and before the process ends:
 * async-signal-safe. */
void assay_crash_notify(void (*notify)(int signal));
/* An alternate stack for a further thread; memory from its caller, SIGSTKSZ-like (64 KiB is
 * enough). */
int assay_crash_thread(void *stack, size_t bytes, struct assay_error *err);
/* Makes landing (or NULL) this thread's; returns the one before. */
struct assay_landing *assay_crash_landing(struct assay_landing *landing);

#endif

/* Preemption inside the subject's calls, so that what goes wrong when two threads are in there at
 * once does not wait for a scheduler to arrange it.
 *
 * Some calls are made in single steps of the processor, to learn the ways through the subject's
 * code. On these ways a breakpoint is set, at some instruction at a time; the thread that comes
 * upon it takes it away and stays there until the others have made some progress, or for a moment
 * at most: they may be waiting for a lock that it holds. That is what a scheduler may do at any
 * time, and nothing else: nothing of the subject is called meanwhile, and errno is kept. Where a
 * processor has no such steps (it is x86 that has) threads are left to the scheduler.
 *
 * A thread of the subject that blocks SIGTRAP dies at a breakpoint, with its process and without a
 * record. Who blocks it by the C library's names does not get it blocked (signal_names.c). Of who
 * asks the kernel the host takes that death for what it is, and begins anew with steps_only: no
 * breakpoint stands then, and what stays is a call made in steps. */
#ifndef ASSAY_PREEMPT_H
#define ASSAY_PREEMPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "traces/runner/assay_subject.h"

/* One per thread. */
struct assay_preempted {
    struct assay_subject subject; /* that is called in the end */
    _Atomic uint64_t *clock;      /* of all threads: one more at each stamp */
    _Atomic uint64_t *before;     /* where the call in hand is stamped; NULL: nowhere */
    uint64_t *after;
    uint64_t random;
    uint32_t naps;  /* what it stays for at most: less and less where that is in vain */
    uint32_t steps; /* of the call in hand, made so far */
    volatile bool inside, stepping;
    bool called, ends; /* the thread: for the first time; it is about to */
};

/* Once per process. */
void assay_preempt_install(const struct assay_subject *subject, bool steps_only);
/* The calling thread, zeroed memory of its caller. */
void assay_preempt_thread(struct assay_preempted *self, const struct assay_subject *subject,
                          _Atomic uint64_t *clock);
/* It is about to end: what the subject does then is a call too. */
void assay_preempt_end(void);
/* What such threads call in place of the subject. */
struct assay_subject assay_preempt_subject(const struct assay_subject *subject);

#endif

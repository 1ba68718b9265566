/* A breakpoint that comes up somewhere in the subject's code, and single steps by which the places
 * for it are learnt: what preempt.c needs of the processor. x86-64; elsewhere nothing happens.
 *
 * One breakpoint stands at a time. Who comes upon it puts the instruction back and goes on at it;
 * who had read it before that finds the instruction back and does the same. Only the code of the
 * library that `code` lies in gets one, and of that what was seen to be executed: what stands there
 * is an instruction. A step never goes over a system call: it may be the one that blocks signals.
 */
#ifndef ASSAY_BREAKPOINT_H
#define ASSAY_BREAKPOINT_H

#include <stdbool.h>
#include <stdint.h>

/* Once per process. steps_only: none is ever set; calls in steps stay at a place in their stead.
 * on_step: behind each instruction of a thread in steps; false: it makes no more. on_breakpoint: at
 * the instruction, which is back by then. Both in a signal handler. */
void assay_breakpoint_install(const void *code, bool steps_only, bool (*on_step)(void),
                              void (*on_breakpoint)(void));
/* What a thread is about to do. The last two are rare. */
enum assay_breakpoint_way {
    ASSAY_BREAKPOINT_TAKES,
    ASSAY_BREAKPOINT_GIVES_BACK,
    ASSAY_BREAKPOINT_BEGINS, /* its first call */
    ASSAY_BREAKPOINT_ENDS,
    ASSAY_BREAKPOINT_WAYS
};
/* Sets one, unless one stands that is young still; on a rare way at once. Mostly of the places that
 * were learnt on the way; of a rare one, only of those. time: of some clock that all threads share.
 */
void assay_breakpoint_set(uint64_t random, uint64_t time, enum assay_breakpoint_way way);
/* True if the next call is to be made in steps: often at first, then seldom, then no more; on rare
 * ways more often. The first calls of a process's first threads always are, and stay at some place
 * of their own, which needs no breakpoint: what sets a process up happens before one is learnt. */
bool assay_breakpoint_steps(uint64_t random, enum assay_breakpoint_way way);
/* That call is over. */
void assay_breakpoint_learnt(void);
/* From the instruction behind it on; and no more. */
#if defined(__x86_64__)
static inline __attribute__((always_inline)) void assay_breakpoint_step(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc"); /* below the red zone */
}
static inline __attribute__((always_inline)) void assay_breakpoint_step_no_more(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}
#else
static inline void assay_breakpoint_step(void) {}
static inline void assay_breakpoint_step_no_more(void) {}
#endif

#endif

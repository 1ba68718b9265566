/* Which system calls that map memory fail: a schedule, and counts of what was seen.
 *
 * A program says so by REFUSE ops, which the runner's executor writes into memory that it shares
 * with the supervisor; the supervisor asks at each such call of a child. Nothing here knows how the
 * child is reached. Where a program has no REFUSE op nothing of this is needed, and a session that
 * does not ask for it (environment.h) pays nothing for it.
 *
 * Only calls behind the moment when the runner is ready are looked at. From there on nothing of the
 * runner's own maps memory (its arena is frozen, its threads' stacks are the reason why partial
 * order is refused), so what is counted is the subject's. Instruction pointers would not tell:
 * subject and runner call the same mmap of the C library. */
#ifndef ASSAY_MAPPING_FAULTS_H
#define ASSAY_MAPPING_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "traces/event.h"

enum assay_mapping_call {
    ASSAY_MAPPING_MMAP,
    ASSAY_MAPPING_MREMAP,
    ASSAY_MAPPING_MUNMAP,
    ASSAY_MAPPING_MPROTECT,
    ASSAY_MAPPING_MADVISE,
    ASSAY_MAPPING_BRK,
    ASSAY_MAPPING_CALLS
};
enum { ASSAY_MAPPING_ALL = (1 << ASSAY_MAPPING_CALLS) - 1 };

/* Counted together are the kinds of `kinds`; the first call behind the op is number 1. Numbers
 * first to first + many - 1 fail with ENOMEM, with many = 0 all from first on. */
struct assay_mapping_schedule {
    uint32_t kinds; /* bit per enum assay_mapping_call; 0: none fails */
    uint64_t first, many;
};

static inline struct assay_mapping_schedule assay_mapping_schedule_of(const struct assay_event *op)
{
    return (struct assay_mapping_schedule){.kinds = (uint32_t)op->arg & ASSAY_MAPPING_ALL,
                                           .first = op->size ? op->size : 1,
                                           .many = op->arg >> 8};
}
static inline struct assay_event assay_mapping_op(uint32_t kinds, uint64_t first, uint64_t many)
{
    return (struct assay_event){.kind = ASSAY_OP_REFUSE, .size = first, .arg = kinds | many << 8};
}

/* Between a runner and its supervisor, or its own functions (mapping_names.c). The runner's thread
 * that executes a REFUSE op writes the schedule and then turn; the supervisor reads both while a
 * thread of the child waits in a call. */
struct assay_mapping_line {
    _Atomic uint32_t turn;     /* one more at each REFUSE op */
    _Atomic uint32_t answered; /* the turn of the last call that was looked at */
    _Atomic uint32_t by_name;  /* no supervisor can: the runner's own functions look at calls */
    struct assay_mapping_schedule schedule;
    _Atomic uint64_t failed; /* of this turn */
};

struct assay_mapping_counts {
    uint64_t seen[ASSAY_MAPPING_CALLS], failed[ASSAY_MAPPING_CALLS];
};

/* The supervisor's, or the runner's. Written by one thread at a time. */
struct assay_mapping_faults {
    uint32_t turn;
    uint64_t counted, asked_break;
    _Atomic uint64_t seen[ASSAY_MAPPING_CALLS], failed[ASSAY_MAPPING_CALLS];
};

/* The number of the system call, and back (-1: none of them). */
int assay_mapping_number(enum assay_mapping_call kind);
int assay_mapping_kind(int number);

/* The child, ready, makes the call: true if it fails now. */
bool assay_mapping_fails(struct assay_mapping_faults *faults, struct assay_mapping_line *line,
                         enum assay_mapping_call kind);
/* brk tells no error: it answers where the break stands. `pid`: who waits in it. */
uint64_t assay_mapping_break(const struct assay_mapping_faults *faults, pid_t pid);

#endif

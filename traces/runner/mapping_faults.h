/* Which system calls that map memory fail: a schedule, and counts of what was seen. The supervisor
 * asks at each such call of a child; nothing here knows how the child is reached.
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

enum assay_mapping_call {
    ASSAY_MAPPING_MMAP,
    ASSAY_MAPPING_MREMAP,
    ASSAY_MAPPING_MUNMAP,
    ASSAY_MAPPING_MPROTECT,
    ASSAY_MAPPING_MADVISE,
    ASSAY_MAPPING_BRK,
    ASSAY_MAPPING_CALLS
};

/* Counted together are the kinds of `kinds`, from op `from_op` of a program on; the first is number
 * 1. Numbers first to first + many - 1 fail with ENOMEM. All zero: nothing is looked at. */
struct assay_mapping_schedule {
    uint32_t kinds;       /* bit per enum assay_mapping_call; the others are not looked at */
    uint64_t from_op;     /* index in the program */
    uint64_t first, many; /* many = 0: only count */
};

struct assay_mapping_counts {
    uint64_t seen[ASSAY_MAPPING_CALLS], failed[ASSAY_MAPPING_CALLS];
};

/* Written by one thread. */
struct assay_mapping_faults {
    struct assay_mapping_schedule schedule;
    uint64_t counted, asked_break;
    _Atomic uint64_t seen[ASSAY_MAPPING_CALLS], failed[ASSAY_MAPPING_CALLS];
};

/* The number of the system call, and back (-1: none of them). */
int assay_mapping_number(enum assay_mapping_call kind);
int assay_mapping_kind(int number);

/* The child, ready and at this op, makes the call: true if it fails now. */
bool assay_mapping_fails(struct assay_mapping_faults *faults, enum assay_mapping_call kind,
                         uint64_t op_index);
/* brk tells no error: it answers where the break stands. `pid`: who waits in it. */
uint64_t assay_mapping_break(const struct assay_mapping_faults *faults, pid_t pid);

#endif

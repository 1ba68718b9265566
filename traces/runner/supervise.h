/* The supervisor of a child's system calls: answers from outside what a subject asks of the kernel
 * itself. seccomp user notification, without privileges: the child installs a filter between fork
 * and exec, for constructors of the subject run before its main, and hands the listener to a thread
 * of the host.
 *
 * Frozen randomness: getrandom(2) gets bytes of the seed, and so does who opens /dev/urandom or
 * /dev/random by these names (a pipe without end) and who reads the auxiliary vector's AT_RANDOM.
 * Nobody reaches clocks (no system call), instructions such as rdrand and rdtsc, the numbers of
 * processes, threads and processors; openat2 and io_uring are not watched.
 *
 * Failing calls: those that map memory fail where the program says so (mapping_faults.h); watched
 * calls cost some 10 us each.
 *
 * Host only, but for assay_supervisor_enter. Calls that the filter does not name go through at the
 * price of the filter (some 50 ns); those of frozen randomness are made while a child starts. */
#ifndef ASSAY_SUPERVISE_H
#define ASSAY_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/core/error.h"
#include "traces/runner/mapping_faults.h"

struct assay_shared;
struct assay_supervisor;

struct assay_supervise_config {
    bool frozen;
    uint64_t seed;
    bool mapping_calls;          /* those that map memory are watched, and fail as `shared` says */
    struct assay_shared *shared; /* with mapping_calls */
};

/* What became of it. */
struct assay_supervision {
    bool works;        /* installed, and nothing that it should answer went past it */
    int refused;       /* errno of the kernel's refusal, 0 if none */
    uint64_t answered; /* getrandom, and openings of random devices */
    struct assay_mapping_counts mapping;
    bool mapping_by_name; /* none of it: the runner looks at what is called by name */
};

/* Before the fork. Errors: ASSAY_E_MEMORY, ASSAY_E_SYSTEM. Whether the kernel takes the filter
 * shows in the child only and is no error: see `refused`. */
int assay_supervisor_create(const struct assay_supervise_config *config,
                            struct assay_supervisor **ret_supervisor, struct assay_error *err);
/* In the child, last before its exec; async-signal-safe. */
void assay_supervisor_enter(const struct assay_supervisor *supervisor);
/* In the parent, behind the fork. */
void assay_supervisor_forked(struct assay_supervisor *supervisor);
/* Whenever wanted; what the child did is in it once the child has got beyond it. */
void assay_supervisor_look(struct assay_supervisor *supervisor,
                           struct assay_supervision *ret_supervision);
/* When the child is gone: calls that still wait would fail with ENOSYS. NULL is fine. */
void assay_supervisor_close(struct assay_supervisor *supervisor);

/* Tries it on a child that asks for random bytes. Returns 0, or the errno of what refuses. */
int assay_supervisor_check(void);

#endif

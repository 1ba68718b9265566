/* The linked rig: executor and judge over a Bulwark heap in this process. For the engine and for
 * tests.
 *
 * Runs one program after the other, the heap reset in between. What Bulwark detects reaches the
 * judge as an abort at that op; a wild write of the allocator itself may kill the process, which is
 * why the engine is a worker. Not thread-safe: one rig a process (Bulwark's fatal hook is global).
 */
#ifndef ASSAY_LINKED_H
#define ASSAY_LINKED_H

#include "fuzzers/program.h"
#include "oracles/judge.h"
#include "traces/runner/executor.h"

struct assay_linked_config {
    struct assay_profile profile;
    enum assay_touch touch;
    uint64_t seed;
    uint32_t max_objects; /* highest object number of a program */
    void *report_self;
    void (*report)(void *self, const struct assay_violation *violation);
};

struct assay_linked;

/* Returns 0; ASSAY_E_MEMORY, ASSAY_E_SYSTEM. At most one at a time. */
int assay_linked_create(const struct assay_linked_config *config, struct assay_linked **ret_linked,
                        struct assay_error *err);
/* Runs and judges the program from an empty heap; its ops are filled in place. Returns the number
 * of violations. */
uint64_t assay_linked_run(struct assay_linked *linked, struct assay_program *program);
const struct assay_judge *assay_linked_judge(const struct assay_linked *linked);
/* What the subject lacks, for struct assay_program_limits. */
uint64_t assay_linked_missing(void);
/* The subject itself, of the rig that is open. For benchmarks. */
const struct assay_subject *assay_linked_subject(void);
void assay_linked_free(struct assay_linked *linked);

#endif

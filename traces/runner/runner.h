/* The runner: the child process that executes ops against a preloaded subject.
 *
 * It takes chunks from shared memory, gives them to the executor, and knows no oracle: tools/
 * brings a judge as a sink. Nothing here allocates. */
#ifndef ASSAY_RUNNER_H
#define ASSAY_RUNNER_H

#include "traces/core/arena.h"
#include "traces/runner/bindings.h"
#include "traces/runner/executor.h"
#include "traces/sink.h"

/* What tools/ puts into the runner beside the executor. All members may be NULL. */
struct assay_runner_judge {
    size_t (*bytes)(const void *blob, size_t blob_bytes,
                    const struct assay_executor_config *config);
    /* Fills *ret_sink; report is shared memory. Returns 0 or ASSAY_E_*. */
    int (*create)(struct assay_arena *arena, const void *blob, size_t blob_bytes, void *report,
                  size_t report_bytes, const struct assay_executor_config *config,
                  struct assay_sink *ret_sink, struct assay_error *err);
    void (*crash)(int signal); /* async-signal-safe: the op last given to before() brought this */
    void (*reset)(void);       /* between two programs */
    void (*publish)(void);     /* after a chunk: counters into the report */
};

/* argv[1] is the number of the shared memory's descriptor. Returns an exit code. */
int assay_runner_main(int argc, char **argv, const struct assay_runner_judge *judge);

/* The preloaded allocator's functions, or the adapter's table. missing: bits of APIs not to take.
 */
struct assay_subject assay_runner_subject(bool adapter, uint64_t missing,
                                          const struct assay_bindings *bindings);

/* Answers getrandom, getentropy and arc4random of the whole process (frozen.c exports them). */
void assay_runner_freeze_random(uint64_t seed);
/* Looks at the process's mapping calls by name and fails them, where a REFUSE op finds that nobody
 * else does. */
void assay_runner_watch_mappings(struct assay_mapping_line *line);

#endif

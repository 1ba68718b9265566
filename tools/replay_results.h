/* What assay replay says: findings, leaks, the summary, as text and JSON. cmd_replay.c makes the
 * run. */
#ifndef ASSAY_REPLAY_RESULTS_H
#define ASSAY_REPLAY_RESULTS_H

#include "tools/options.h"
#include "tools/output/output.h"
#include "tools/recorded.h"
#include "tools/replay.h"

/* The command as given. */
struct assay_replay_command {
    struct assay_common common;
    struct assay_output_options output;
    const char *file, *subject, *profile, *suppressions;
    const char *shown; /* the subject as JSON has it */
    enum assay_order order;
    enum assay_touch touch;
    bool touch_given, allow_lossy, content_full, unchecked, recorded, leaks;
    long process;
    uint64_t max_time_ns, memory_bytes, seed;
    uint64_t trace_events; /* of the processes that are replayed */
};

/* Names of enum assay_order and assay_touch as the options have them; NULL behind the last. */
extern const char *const assay_replay_orders[], *const assay_replay_touches[];

/* Adds them to run as well. */
void assay_replay_tell_findings(const struct assay_replay_command *options, struct assay_emit *emit,
                                const struct assay_replay_result *result,
                                struct assay_output_run *run);
/* Where what was never freed had been allocated, most bytes first. */
void assay_replay_tell_leaks(struct assay_emit *emit, const struct assay_replay_source *source,
                             const struct assay_recorded_result *result);
/* Takes the reference of unused: lines of suppressions that fitted nothing. */
void assay_replay_tell_summary(const struct assay_replay_command *options, struct assay_emit *emit,
                               const struct assay_replay_result *result,
                               const struct assay_output_run *run, json_t *unused);

#endif

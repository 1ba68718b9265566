/* The subject 'recorded': the answers are in the trace, so nothing runs; the same judges read it as
 * it is, and the program that made the calls is judged too (T01-T05).
 *
 * The allocator is judged for what the trace has (addresses, order, threads; errno where it was
 * recorded), never for content. Host only. */
#ifndef ASSAY_RECORDED_H
#define ASSAY_RECORDED_H

#include "tools/replay.h"

/* Objects that one call site left behind. */
struct assay_leak {
    uint32_t site; /* 0 = unknown */
    uint64_t objects, bytes;
};

struct assay_recorded_result {
    struct assay_replay_result replay; /* events, images, judged, evaluations, findings */
    struct assay_leak *leaks;          /* most bytes first; with options->leaks */
    size_t leak_count;
};

/* Returns 0 or ASSAY_E_*. Of the options: profile, suppressions, subject_name, progress,
 * max_time_ns. ret_result is filled either way and must be freed. */
int assay_recorded_run(struct assay_replay_source *source,
                       const struct assay_replay_options *options, bool leaks,
                       struct assay_recorded_result *ret_result, struct assay_error *err);
void assay_recorded_free(struct assay_recorded_result *result);

#endif

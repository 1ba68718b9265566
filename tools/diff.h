/* What assay diff knows of two runs: cmd_diff.c makes them, diff_results.c tells what came of them.
 */
#ifndef ASSAY_DIFF_H
#define ASSAY_DIFF_H

#include "oracles/compare/behaviour.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/replay_source.h"
#include "traces/runner/session.h"

struct assay_diff_options {
    struct assay_common common;
    const char *file, *a, *b;
    long process;
    bool allow_lossy, no_cost, all;
    uint64_t seed;
    struct assay_comparison_options compare;
};

struct assay_diff_side {
    const char *option; /* by the name that all JSON has */
    struct assay_subject_spec spec;
    struct assay_session *session;
    struct assay_session_status status; /* of the behavioural run */
    struct assay_session_status cost;   /* of the timed run */
};

/* A class of differences, the same in whatever process images it shows. */
struct assay_diff_class {
    struct assay_difference_class c;
    uint16_t process; /* of the first difference */
    uint64_t images;
};

struct assay_diff {
    const struct assay_diff_options *options;
    struct assay_diff_side sides[2];
    struct assay_replay_source *source;
    struct assay_comparison *comparison;
    struct assay_progress progress;
    struct assay_diff_class *classes; /* over all images */
    size_t class_count;
    uint64_t read, inherited; /* of the trace by passes that have ended; re-created for forks */
    struct assay_comparison_totals totals;
    json_t *ends; /* how runs ended that did not end well */
    size_t ends_alike,
        ends_differ; /* process images where both died of the same at one op, and not so */
};

/* Names of enum assay_field as --ignore has them; NULL behind the last. */
extern const char *const assay_diff_fields[ASSAY_FIELD_COUNT + 1];

/* Prints and emits all there is to tell. Returns the exit code. */
int assay_diff_tell(struct assay_diff *diff, struct assay_diff_options *options);

#endif

/* Replay: a trace's programs against one subject, judged in the runner, confirmed in the host.
 *
 * What the runner's judge says is a suspicion; a suspicion is run again in a fresh child whose raw
 * results are judged here, in memory that no subject shares: only what that pass reports becomes a
 * finding. Host only. */
#ifndef ASSAY_REPLAY_H
#define ASSAY_REPLAY_H

#include "oracles/finding.h"
#include "oracles/judge.h"
#include "tools/replay_source.h"
#include "traces/runner/session.h"

struct assay_replay_options {
    const struct assay_subject_spec *subject;
    enum assay_order order;
    enum assay_touch touch;
    bool content_full;
    bool unchecked;    /* no judge: figures only */
    bool measure_bare; /* time a bare loop of the same calls as well */
    struct assay_profile profile;
    struct assay_suppressions *suppressions; /* NULL: none */
    const char *subject_name;                /* as the user named it, for suppressions */
    uint64_t seed;
    uint64_t memory_bytes; /* 0 = no limit */
    uint64_t max_time_ns;  /* 0 = no limit */
    /* Called now and then with how many of the trace's events are done, never more than there are,
     * whatever number of passes they take; returns false to stop. May be NULL. */
    bool (*progress)(void *self, uint64_t events);
    void *progress_self;
};

enum assay_replay_end {
    ASSAY_REPLAY_COMPLETE,
    ASSAY_REPLAY_STOPPED, /* progress said so, or max_time_ns */
    ASSAY_REPLAY_DIED,    /* the subject crashed, hung or exited: a finding says so if confirmed */
    ASSAY_REPLAY_OUT_OF_MEMORY /* memory_bytes */
};

struct assay_replay_result {
    enum assay_replay_end end;
    uint64_t events, executed, skipped, library_calls; /* events: inherited and all */
    struct assay_replay_taken taken;
    struct assay_replay_left_out left_out;
    double ns_per_event, bare_ns_per_event; /* 0 if not measured */
    uint64_t peak_rss_bytes;
    bool frozen, frozen_calls; /* layout and random functions; the kernel's random bytes */
    uint64_t images;
    uint64_t evaluations[ASSAY_PROPERTY_COUNT];
    bool judged[ASSAY_PROPERTY_COUNT];
    uint64_t missing_apis;              /* of the subject */
    struct assay_finding_set *findings; /* confirmed ones; freed by assay_replay_result_free */
    uint64_t suspicions;                /* kinds seen by the runner's judges */
    uint64_t unconfirmed;               /* images whose suspicion a fresh child did not repeat */
    struct assay_session_status last;   /* of the image that ended the run, if it died */
};

/* Returns 0 (also when the subject died: see end), or ASSAY_E_* when it could not run. ret_result
 * is filled either way and must be freed. */
int assay_replay_run(struct assay_replay_source *source, const struct assay_replay_options *options,
                     struct assay_replay_result *ret_result, struct assay_error *err);
void assay_replay_result_free(struct assay_replay_result *result);

#endif

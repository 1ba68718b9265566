/* One trial: a program against a subject in a child, its raw results judged here.
 *
 * This is where a suspicion becomes a finding: nothing that the child's own judge said is used, and
 * the memory in which is judged is shared with no subject. Serves fuzz (confirm, minimise) and
 * reproduce. Not thread-safe; one per thread. */
#ifndef ASSAY_TRIAL_H
#define ASSAY_TRIAL_H

#include "oracles/finding_report.h"
#include "oracles/judge.h"
#include "traces/runner/session.h"

struct assay_trial_config {
    const struct assay_subject_spec *subject; /* must outlive the trial */
    const struct assay_profile *profile;      /* copied */
    uint64_t seed;
    uint32_t max_objects;
    uint32_t hang_ms; /* 0 = 2000 */
    struct assay_environment environment;
    unsigned property; /* only violations of this one count; 0 = of all, the first */
};

/* The patterns' seed of every trial and of the fuzzer's own children: a program shows the same in
 * both. */
enum { ASSAY_TRIAL_SEED = 1, ASSAY_TRIAL_MEMORY_MIB = 2048 };

struct assay_trial_result {
    bool violated;
    bool died;    /* the child ended in this program */
    bool trapped; /* died so of a breakpoint, where a thread of the subject blocks SIGTRAP */
    bool mapping_by_name; /* mapping calls failed where they were made by name alone */
    struct assay_violation first;
    struct assay_circumstances circumstances; /* of the first */
    enum assay_session_state state;
    int signal;
    char said[256];  /* first line of what the child wrote to stderr when it died, or of its report
                        of corruption, as it was */
    char wrote[256]; /* first line of what it wrote in a program that it survived */
};

struct assay_trial;

/* Returns 0; ASSAY_E_MEMORY, ASSAY_E_SYSTEM. */
int assay_trial_create(const struct assay_trial_config *config, struct assay_trial **ret_trial,
                       struct assay_error *err);
/* Runs the program, in a new child if fresh (or if there is none); in two where the environment
 * says twice; once more and without breakpoints where a trapped one showed nothing. The ops are not
 * changed. Returns 0, or ASSAY_E_SUBJECT and others when no child could
 * be had. */
int assay_trial_run(struct assay_trial *trial, const struct assay_event *ops, size_t n, bool fresh,
                    struct assay_trial_result *ret_result, struct assay_error *err);
/* The same in parts, for who makes a program while it runs: begin once, then parts until one is the
 * last, or returns 0: the child is gone. Of a part's ops, what was executed is written back with
 * its results. ret_result is filled in as the parts are judged. Return ASSAY_E_* as above. */
int assay_trial_begin(struct assay_trial *trial, bool fresh, struct assay_trial_result *ret_result,
                      struct assay_error *err);
int assay_trial_part(struct assay_trial *trial, struct assay_event *ops, size_t n, bool last,
                     struct assay_error *err);
void assay_trial_set_hang(struct assay_trial *trial, uint32_t hang_ms);
/* True if the stream of a trial has what the property needs. */
bool assay_trial_judges(const struct assay_trial *trial, unsigned property);
/* How often all runs evaluated it. */
uint64_t assay_trial_evaluations(const struct assay_trial *trial, unsigned property);
/* Allocation calls judged in all runs. */
uint64_t assay_trial_calls(const struct assay_trial *trial);
void assay_trial_free(struct assay_trial *trial);

/* What a child's judge reported of a crash gets the name that a finding of it would have. */
void assay_trial_name_crash(const struct assay_session *session,
                            const struct assay_subject_spec *subject,
                            struct assay_violation *violation);

/* The session's and the judge's configuration of fuzzing: the same for the fuzzer's children. */
struct assay_judge_blob;
void assay_trial_configure(const struct assay_trial_config *config, bool judge_in_child,
                           struct assay_session_config *ret_session,
                           struct assay_judge_blob *ret_blob);

#endif

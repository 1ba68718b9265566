/* From a suspicion to a finding: trials of a program in fresh children, minimising, the folder.
 * What the isolated fuzzer and the engine's host share. */
#ifndef ASSAY_FUZZ_FINDING_H
#define ASSAY_FUZZ_FINDING_H

#include "tools/fuzz.h"
#include "tools/trial.h"

enum { ASSAY_FUZZ_HANG_MS = 2000 /* what a finding needs at least */ };

struct assay_fuzz_program {
    struct assay_event *ops; /* malloc'ed */
    size_t count, capacity;
    struct assay_environment environment;
    const char *directed; /* name of a directed program, NULL: a random one */
};

/* The run is over, for this reason; only the first one counts. */
void assay_fuzz_give_up(struct assay_fuzz_state *state, const struct assay_error *err);
/* A trial of this program; NULL when there is none to be had, then the run is over. */
struct assay_trial *assay_fuzz_trial(struct assay_fuzz_state *state,
                                     const struct assay_fuzz_program *program, uint32_t hang_ms);
/* The same by another profile. */
struct assay_trial *assay_fuzz_trial_by(struct assay_fuzz_state *state,
                                        const struct assay_fuzz_program *program,
                                        const struct assay_profile *profile, uint32_t hang_ms);
/* False when no child could be had; then the run is over. */
bool assay_fuzz_run_trial(struct assay_fuzz_state *state, struct assay_trial *trial,
                          const struct assay_event *ops, size_t n, bool fresh,
                          struct assay_trial_result *result);
/* True if this kind is new to the run and to be told of; it is entered in any case. */
bool assay_fuzz_enter(struct assay_fuzz_state *state, const struct assay_violation *violation);
/* True if the suppressions name it. */
bool assay_fuzz_suppressed(struct assay_fuzz_state *state, const struct assay_violation *violation);
/* True if the run has seen this kind. */
bool assay_fuzz_known(struct assay_fuzz_state *state, const struct assay_violation *violation);
/* A suspicion did not come back: counted, and kept to be told of. */
void assay_fuzz_doubt(struct assay_fuzz_state *state, unsigned property, const char *where,
                      const char *what);
void assay_fuzz_doubt_violation(struct assay_fuzz_state *state, const char *where,
                                const struct assay_violation *violation);
/* A child wrote that to its standard error, in legal programs that it survived. */
void assay_fuzz_wrote(struct assay_fuzz_state *state, const char *text);
/* What hangs takes its whole time each time that it is tried: true, and counted, where calls of the
 * kind were seen to hang some times; a further one is taken for the same. */
bool assay_fuzz_hang_known(struct assay_fuzz_state *state, const struct assay_event *op);
/* Minimises the program, which is changed, as long as the run's time allows, and writes the folder.
 * hang_ms: how long an op of it may take. */
void assay_fuzz_write_finding(struct assay_fuzz_state *state, struct assay_fuzz_program *program,
                              struct assay_trial_result *result, uint64_t number, uint64_t history,
                              uint32_t hang_ms);
/* Takes a program that is suspected through confirming, minimising and writing. For sources other
 * than the generator (the engine's inputs, directed programs). Returns true if it was confirmed;
 * then *ret_shown, which may be NULL, is what it showed: no race where it shows in order too. */
bool assay_fuzz_suspect(struct assay_fuzz_state *state, const struct assay_fuzz_program *program,
                        uint64_t number, struct assay_violation *ret_shown);

#endif

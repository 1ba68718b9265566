/* What a run of assay fuzz says in the end: its figures as JSON and text, and its findings for the
 * files of tools/output/. Of the run itself nothing is here. Host only. */
#ifndef ASSAY_FUZZ_RESULTS_H
#define ASSAY_FUZZ_RESULTS_H

#include <jansson.h>

#include "tools/fuzz.h"
#include "tools/output/output.h"
#include "tools/emit.h"

struct assay_fuzz_totals {
    uint64_t programs, calls, findings, accepted, suppressed;
    double seconds, first_finding_s;
    uint64_t evaluations[ASSAY_PROPERTY_COUNT];
    bool judged[ASSAY_PROPERTY_COUNT];
    const char *why[ASSAY_PROPERTY_COUNT]; /* not judged, by this kind of run; NULL: by the judge */
};

void assay_fuzz_take_totals(const struct assay_fuzz_state *state,
                            struct assay_fuzz_totals *ret_totals);
/* Takes out of `judged` the rows that this kind of run cannot reach: what the profile does not
 * promise, what the mix or the directed programs alone do not have; and what only directed programs
 * reach, if they did not. */
void assay_fuzz_leave_out(const struct assay_fuzz_config *config, struct assay_fuzz_totals *totals);
/* How many judged properties were never evaluated, which says nothing about the subject. */
unsigned assay_fuzz_idle(const struct assay_fuzz_totals *totals);
/* The figures, without the schema's name: stats.json and the object on standard output. New
 * reference. */
json_t *assay_fuzz_stats(const struct assay_fuzz_state *state,
                         const struct assay_fuzz_totals *totals);
/* Writes OUT/stats.json. */
int assay_fuzz_write_stats(const char *out, json_t *object, struct assay_error *err);
/* The same for people, findings first. */
void assay_fuzz_print_summary(FILE *out, const struct assay_fuzz_totals *totals,
                              const struct assay_fuzz_state *state);
/* The last line: how many findings, and what was not looked at for want of time. */
void assay_fuzz_print_verdict(FILE *out, const struct assay_fuzz_totals *totals,
                              const struct assay_fuzz_state *state);
/* The finding.json of each, as one line. */
void assay_fuzz_emit_findings(struct assay_emit *emit, const struct assay_fuzz_state *state);
/* All kinds, accepted ones too: as their folders tell them, where they have one. */
void assay_fuzz_collect(struct assay_output_run *run, const struct assay_fuzz_state *state);

#endif

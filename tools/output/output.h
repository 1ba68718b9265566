/* A run's findings as files that other programs read: SARIF 2.1.0 for code scanning, JUnit XML for
 * test reports.
 *
 * Both are made of the JSON objects (schema assay.finding) that the command emits, so that no two
 * outputs can disagree, and both name what was judged and what was not. A file is written under a
 * temporary name and renamed when whole. For every command with findings. Host only. */
#ifndef ASSAY_OUTPUT_H
#define ASSAY_OUTPUT_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "oracles/judge.h"
#include "oracles/suppress.h"
#include "traces/core/error.h"

struct assay_output_options {
    const char *sarif, *junit; /* NULL: not wanted */
};

/* As assay_common_children, and --sarif and --junit. */
extern const struct argp_child assay_output_children[];
/* The same with assay_progress_children. */
extern const struct argp_child assay_output_progress_children[];

/* For a parser with these children:
 *     case ARGP_KEY_INIT: return assay_output_inputs(state, &options->common, &options->output); */
struct assay_common;
error_t assay_output_inputs(struct argp_state *state, struct assay_common *common,
                            struct assay_output_options *output);

struct assay_output_finding {
    json_t *object; /* schema assay.finding; its reference belongs to the list */
    char *artifact; /* file that shows it: reproducer, trace; malloc'ed */
};

/* What leaves the run open: a suspicion that did not come back. */
struct assay_output_doubt {
    unsigned property; /* ASSAY_PROPERTY_NONE: of none */
    char *text;        /* malloc'ed */
};

struct assay_output_run {
    const char *command; /* "fuzz" */
    int argc;
    char **argv;
    const char *subject;
    uint64_t start_ns, end_ns; /* since 1970 */
    int exit_code;
    uint64_t missing_apis; /* bit per enum assay_op */
    bool judged[ASSAY_PROPERTY_COUNT];
    const char *why[ASSAY_PROPERTY_COUNT]; /* not judged, where the command alone knows; or NULL */
    uint64_t evaluations[ASSAY_PROPERTY_COUNT];
    struct assay_output_finding *findings; /* accepted and suppressed ones too */
    size_t count;
    struct assay_output_doubt *doubts;
    size_t doubt_count;
};

/* Starts the clock. */
void assay_output_begin(struct assay_output_run *run, const char *command, int argc, char **argv);
/* Takes the reference; artifact is copied, NULL if there is none. */
void assay_output_add(struct assay_output_run *run, json_t *finding, const char *artifact);
/* text is copied. */
void assay_output_doubt(struct assay_output_run *run, unsigned property, const char *text);
/* {"write-wild": [fingerprint, ...], ...}: the crashes among them, gathered by class. New
 * reference.
 */
json_t *assay_output_clusters(const struct assay_output_run *run);
/* A line per class, nothing if there is no crash. */
void assay_output_print_clusters(FILE *out, const struct assay_output_run *run);
/* Lines of the suppressions that fitted nothing: warned of on standard error, and returned as an
 * array of strings. New reference; suppressions may be NULL. */
json_t *assay_output_unused(const struct assay_suppressions *suppressions, const char *path);
/* Whether what the options want can be written: asked before the run. folder: what the command
 * makes by itself (--out), a file may be meant to stand in it; NULL: none. */
int assay_output_ready(const struct assay_output_options *options, const char *folder,
                       struct assay_error *err);
/* Writes what the options want, stops the clock. A run that ends as inconclusive has a doubt, if
 * only that. Returns 0 or ASSAY_E_*; on failure no file of that
 * name is new. */
int assay_output_write(const struct assay_output_options *options, struct assay_output_run *run,
                       struct assay_error *err);
void assay_output_free(struct assay_output_run *run);

/* ---- for the writers ---- */

/* New reference. */
json_t *assay_sarif_make(const struct assay_output_run *run);
void assay_junit_print(FILE *out, const struct assay_output_run *run);
/* The reason for which the finding is none to act on, or NULL; owned by the object. */
const char *assay_output_reason(const json_t *finding);
/* "2026-01-31T12:00:00Z"; without the Z if bare. */
void assay_output_time(char *ret_text, size_t bytes, uint64_t ns, bool bare);
/* What the row needs of a stream, as words: "content, usable". */
void assay_output_needs(char *ret_text, size_t bytes, unsigned property);
/* Why the row was not judged: "the subject has no malloc_good_size". */
void assay_output_why(char *ret_text, size_t bytes, const struct assay_output_run *run,
                      unsigned property);

#endif

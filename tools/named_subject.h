/* --subject and --profile together: a profile may name the subject's functions, so it is read
 * first.
 */
#ifndef ASSAY_NAMED_SUBJECT_H
#define ASSAY_NAMED_SUBJECT_H

#include <limits.h>

#include "oracles/profile.h"
#include "traces/runner/session.h"

/* As assay_subject_find_named; an adapter's libraries are found again where they were linked from
 * (each -L of ASSAY_ADAPTER_FLAGS), and it is an error if something is missing. */
int assay_subject_for(const char *subject, const struct assay_subject_names *names,
                      struct assay_subject_spec *ret_spec, struct assay_error *err);

/* subject as assay_subject_find takes it; ini NULL: the shipped profile for it. Outputs are
 * untouched on failure; errors as of assay_subject_find, then of assay_profile_load. */
int assay_named_subject(const char *subject, const char *ini, struct assay_subject_spec *ret_spec,
                        struct assay_profile *ret_profile, struct assay_error *err);

/* Says to stderr that no shipped profile fits, where it was to be one: then nothing is promised. */
void assay_say_generic(const char *subject, const char *ini, const struct assay_profile *profile);

/* The name of the subject in every JSON object and in findings, so that it is one subject in all of
 * them and works from any folder: paths are made absolute in the caller's buffer. */
const char *assay_subject_anywhere(const char *subject, char absolute[PATH_MAX]);

#endif

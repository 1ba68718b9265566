/* Suppressions: findings that somebody knows of and does not want to be told of again, each with
 * the reason, in a file.
 *
 *     # comment
 *     10db4d9afe6d9b14 = known since 1.2, see issue 17
 *     C19 free * = the vendor says that errno is ours to save
 *     C22 pvalloc not-null libtcmalloc* = wraps near SIZE_MAX
 *
 * A line is a fingerprint, or property, op, relation and, if wanted, a glob of the subject's name;
 * '*' stands for any op or relation. What fingerprints do not tell apart, a line does not either:
 * of lost content (C10) content-foreign means content-stale too. The first line that fits counts.
 * What a profile accepts is the subject's own; this is its user's. Host only. */
#ifndef ASSAY_SUPPRESS_H
#define ASSAY_SUPPRESS_H

#include "oracles/judge.h"
#include "traces/core/error.h"

struct assay_suppressions;

struct assay_suppression {
    unsigned line;    /* in the file, from 1 */
    const char *text; /* what stands before '=' */
    const char *reason;
    uint64_t used;
    char today[20];   /* of a fingerprint by an older scheme, once it was used: what it is now */
    char nearest[80]; /* not used: the last finding of its property, "C10 free other, ..." */
};

/* Errors: ASSAY_E_NOT_FOUND and its kin, ASSAY_E_FORMAT with the line, ASSAY_E_LIMIT. */
int assay_suppressions_load(const char *path, struct assay_suppressions **ret_suppressions,
                            struct assay_error *err);
/* The line that fits, counted as used if count; NULL if none does. subject: as named, or its path;
 * globs are tried on the whole and on what stands behind the last '/'. */
const struct assay_suppression *assay_suppressed(struct assay_suppressions *suppressions,
                                                 const struct assay_violation *violation,
                                                 const char *subject, bool count);
size_t assay_suppressions_count(const struct assay_suppressions *suppressions);
const struct assay_suppression *
assay_suppressions_get(const struct assay_suppressions *suppressions, size_t i);
/* NULL is fine. */
void assay_suppressions_free(struct assay_suppressions *suppressions);

#endif

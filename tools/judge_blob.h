/* What host and runner say to each other about judging: the session carries both as plain bytes.
 *
 * The blob goes down before the first op; the report is written by the runner's judge and may be
 * read while it runs. What it holds is suspicion: the runner shares its memory with the subject. */
#ifndef ASSAY_JUDGE_BLOB_H
#define ASSAY_JUDGE_BLOB_H

#include <stdatomic.h>

#include "oracles/judge.h"
#include "traces/runner/executor.h"

struct assay_judge_blob {
    uint64_t more_has; /* ASSAY_HAS_* that the source adds to what the executor has */
    uint32_t max_live; /* 0 = as many as objects */
    bool legal;
    struct assay_profile profile;
};

enum { ASSAY_REPORT_VIOLATIONS = 64 };

struct assay_judge_report {
    _Atomic uint64_t calls;
    uint64_t evaluations[ASSAY_PROPERTY_COUNT];
    uint64_t violations[ASSAY_PROPERTY_COUNT];
    uint8_t judged[ASSAY_PROPERTY_COUNT];
    _Atomic uint32_t stored; /* first of each kind (property, op, relation, size band) */
    struct assay_violation violation[ASSAY_REPORT_VIOLATIONS];
    uint64_t program[ASSAY_REPORT_VIOLATIONS]; /* number of the program since the child's start */
    _Atomic uint64_t programs;                 /* finished since the child's start */
};

/* True if both are the same kind of violation. */
static inline bool assay_violation_same(const struct assay_violation *a,
                                        const struct assay_violation *b)
{
    return a->property == b->property && a->kind == b->kind && a->relation == b->relation &&
           a->size_band == b->size_band;
}

/* The judge's configuration for a stream from an executor of this configuration. */
static inline struct assay_judge_config
assay_judge_blob_config(const struct assay_judge_blob *blob,
                        const struct assay_executor_config *executor, uint64_t missing_apis)
{
    return (struct assay_judge_config){.has = assay_executor_has(executor) | blob->more_has,
                                       .missing_apis = missing_apis,
                                       .max_objects = executor->max_objects,
                                       .max_live = blob->max_live,
                                       .profile = blob->profile,
                                       .legal = blob->legal};
}

#endif

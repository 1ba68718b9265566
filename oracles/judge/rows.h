/* Which oracles an op is judged by, and how often each was: inlined into the functions per op kind.
 */
#ifndef ASSAY_JUDGE_ROWS_H
#define ASSAY_JUDGE_ROWS_H

#include "oracles/judge/state.h"

static inline __attribute__((always_inline)) void
assay_judge_count(struct assay_judge *judge, unsigned kind, bool sweep, uint64_t applied)
{
    struct assay_judge_tally *tally = &judge->tallies[kind][sweep];
    if (__builtin_expect(tally->applied == applied, 1))
        tally->ops++;
    else
        assay_judge_start_tally(judge, kind, sweep, applied);
}

/* Which rows an op is judged by. */
enum assay_judge_rows { ASSAY_ROWS_LEGAL, ASSAY_ROWS_MISUSE, ASSAY_ROWS_PROGRAM };

static inline __attribute__((always_inline)) enum assay_judge_rows
assay_judge_rows_of(enum assay_severity severity)
{
    return severity == ASSAY_SEVERITY_SECURITY  ? ASSAY_ROWS_MISUSE
           : severity == ASSAY_SEVERITY_PROGRAM ? ASSAY_ROWS_PROGRAM
                                                : ASSAY_ROWS_LEGAL;
}

/* Calls every oracle that subscribes to `kind` (a constant where this is inlined). An oracle is
 * pure, so one that is not judged in this stream may run: its bit is dropped. */
static inline __attribute__((always_inline)) void
assay_judge_run(struct assay_judge *judge, const struct assay_case *c, unsigned kind,
                enum assay_judge_rows rows, uint32_t number)
{
    uint64_t applied = 0, wrong = 0;
    struct assay_verdict unused;
#define ASSAY_PROPERTY(ID, statement, severity, needs, optional, source, policy, ops)              \
    if (((ops) >> kind & 1) && assay_judge_rows_of(ASSAY_SEVERITY_##severity) == rows &&           \
        !((needs)&ASSAY_HAS_RESOURCES)) {                                                          \
        enum assay_outcome outcome = assay_oracle_##ID(c, &unused);                                \
        applied |= (uint64_t)(outcome != ASSAY_OUTCOME_NOT_APPLICABLE) << ASSAY_PROPERTY_##ID;     \
        wrong |= (uint64_t)(outcome == ASSAY_OUTCOME_VIOLATED) << ASSAY_PROPERTY_##ID;             \
    }
#include "oracles/properties.def"
#undef ASSAY_PROPERTY
    assay_judge_count(judge, kind, c->event->checked & ASSAY_FACT_SIBLINGS,
                      applied & judge->judged);
    if (__builtin_expect((wrong & judge->judged) != 0, 0)) {
        struct assay_case copy = *c; /* so that the case itself can live in registers */
        assay_judge_report(judge, &copy, wrong & judge->judged, number);
    }
}

#endif

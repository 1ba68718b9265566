/* Behavioural comparison of two runs of the same program, op by op, through symbolic allocator
 * state.
 *
 * Both builds start from a common symbol ALO_0. Where result terms are equal and the observed
 * answers are not, that is a difference: it is reported, the two answers are united (union-find),
 * and both runs go on from a common fresh state. A later difference is *new* only if it remains
 * after substitution, that is if the two answers are not united already and each build could still
 * have answered as the other did; all else is a consequence of an earlier one. Differences are
 * gathered in classes (op kind, field, size band, shapes of the two answers), one report each. Host
 * only. Source: properties.md D01, D05. */
#ifndef ASSAY_BEHAVIOUR_H
#define ASSAY_BEHAVIOUR_H

#include "oracles/model/symbol.h"
#include "traces/core/error.h"

enum assay_field {
    ASSAY_FIELD_NULL,      /* one build refused, the other did not */
    ASSAY_FIELD_ERROR,     /* errno, or posix_memalign's code */
    ASSAY_FIELD_SIGNAL,    /* one build died, or by another signal */
    ASSAY_FIELD_USABLE,    /* usable size */
    ASSAY_FIELD_VALUE,     /* answer of a query */
    ASSAY_FIELD_ALIGNMENT, /* the low four bits of the address */
    ASSAY_FIELD_PLACEMENT, /* where the object was put: reuse order, adjacency, fresh memory */
    ASSAY_FIELD_FACTS,     /* content or zeroing */
    ASSAY_FIELD_COUNT
};
const char *assay_field_name(unsigned field);

struct assay_difference {
    uint64_t op_index;
    uint8_t field; /* enum assay_field */
    bool consequence;
    uint64_t
        cause; /* op index of the difference that this one follows from; valid if consequence */
    struct assay_name a, b; /* PLACEMENT */
    int64_t seen_a, seen_b; /* other fields */
    struct assay_event event_a, event_b;
};

struct assay_difference_class {
    uint8_t field, kind;    /* enum assay_field, enum assay_op */
    uint8_t name_a, name_b; /* enum assay_name_kind, for PLACEMENT */
    uint32_t size_band;     /* floor(log2(bytes)) + 1, 0 for size 0 */
    uint64_t fresh;         /* new differences */
    uint64_t consequences;
    struct assay_difference
        first; /* the first new one, or the first consequence while there is no new one */
};

struct assay_comparison_options {
    uint32_t ignore;          /* bit per enum assay_field: not compared */
    bool refusals_keep_state; /* a refused request leaves ALO as it was (else ALO' != ALO for every
                                 call) */
};

struct assay_comparison_totals {
    uint64_t ops, compared;
    uint64_t incomparable; /* terms differed: the runs were no longer asked the same */
    uint64_t one_sided;    /* skipped by one build (an API that it lacks) */
    uint64_t fresh, consequences;
};

struct assay_comparison;

/* Returns NULL when memory is out. report (may be NULL) is called for each new difference, in
 * order. */
struct assay_comparison *
assay_comparison_create(const struct assay_comparison_options *options,
                        void (*report)(void *self, const struct assay_difference *difference),
                        void *self);
void assay_comparison_free(struct assay_comparison *comparison);
/* Compares one op, as executed by a and by b. Both must be the same op. Returns 0, ASSAY_E_MEMORY,
 * ASSAY_E_SUBJECT when they are not: the host gave both the same, so a subject changed one. */
int assay_comparison_step(struct assay_comparison *comparison, const struct assay_event *a,
                          const struct assay_event *b, struct assay_error *err);
struct assay_comparison_totals assay_comparison_totals(const struct assay_comparison *comparison);
/* Classes in order of their first difference; *ret_n of them. Valid until the next step. */
const struct assay_difference_class *
assay_comparison_classes(const struct assay_comparison *comparison, size_t *ret_n);

/* One line: "placement of malloc(24) at op 17: base of freed object 3 | base of freed object 9". */
int assay_difference_print(char *text, size_t size, const struct assay_difference *difference);

#endif

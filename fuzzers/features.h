/* Behaviour features: what a program made a subject do, as at most 16 KiB of counters.
 *
 * Where a subject has no coverage to look at, its answers guide the search: op kind x size band x
 * where the result stands relative to what stood there before (fresh, a freed object's base, inside
 * one, beside a live one), how it was refused, its slack, what a resize did with its place, which
 * neighbours a freed object had, how large the heap was, how long the same
 * went on. Counts fall into buckets as AFL's do.
 *
 * Addresses count only relative to the same program's other objects, so a feature means the same
 * under any address layout. Reads executed events, trusts none of them, judges nothing; not an
 * oracle. Memory is the caller's arena; not thread-safe. */
#ifndef ASSAY_FEATURES_H
#define ASSAY_FEATURES_H

#include "oracles/model/model.h"
#include "traces/event.h"

enum { ASSAY_FEATURES = 16384 };

struct assay_features {
    struct assay_model model;
    uint8_t counts[ASSAY_FEATURES];   /* of this program, saturated */
    uint16_t touched[ASSAY_FEATURES]; /* whose count is not 0 */
    uint32_t touched_count;
    uint32_t births, deaths;
    uint32_t run, run_cell; /* so many ops of this kind and size band in a row */
    uint8_t last_kind;
    uint64_t cost; /* what the program takes, in ops of small objects, about */
};

/* What all programs of a run showed. */
struct assay_features_seen {
    uint8_t buckets[ASSAY_FEATURES]; /* bit per bucket of counts */
    uint32_t shown[ASSAY_FEATURES];  /* programs that had the feature */
    uint32_t features, bits;         /* how many occurred; with their buckets */
};

size_t assay_features_bytes(uint32_t max_objects);
/* Returns false if the arena is too small. */
bool assay_features_create(struct assay_features *features, struct assay_arena *arena,
                           uint32_t max_objects);
/* Folds an executed event in, in stream order. What is not executed, or EVIDENCE, is passed over.
 */
void assay_features_after(struct assay_features *features, const struct assay_event *event);
/* Enters what the program showed. Returns how many bits are new; *ret_rarest is the feature of a
 * new bit that the fewest programs showed. Time proportional to the features of the program. */
unsigned assay_features_enter(const struct assay_features *features,
                              struct assay_features_seen *seen, uint16_t *ret_rarest);
/* For the next program. */
void assay_features_reset(struct assay_features *features);

#endif

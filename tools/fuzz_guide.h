/* The search by behaviour features of one job: which programs it runs, and which it keeps.
 *
 * A program that shows a new feature is kept, in memory and as a file; one that shows a feature
 * more or less often than any before it, in memory only. Some of what runs later are mutants of
 * kept ones, the more the more they show for what they cost. What comes next depends on what
 * earlier programs of this job showed, in their order, and on nothing else: no clock, no other job.
 * Host only; not thread-safe. */
#ifndef ASSAY_FUZZ_GUIDE_H
#define ASSAY_FUZZ_GUIDE_H

#include "fuzzers/features.h"
#include "tools/fuzz_maker.h"
#include "traces/sink.h"

struct assay_fuzz_guide {
    struct assay_fuzz_corpus corpus;
    struct assay_arena arena;
    struct assay_features features; /* of the program that is being told */
    struct assay_features_seen seen;
    struct assay_fuzz_recipe *recipes; /* of the child's programs, in order */
    uint32_t count, capacity;
    double news[2], costs[2]; /* of late: new bits, by generated programs and by mutants */
    uint64_t seed;
    unsigned job, jobs;
    uint32_t lasting; /* programs with files of their own */
    bool ended;       /* the program that was told is whole */
};

/* corpus: what was there before the run; copied. Returns 0, ASSAY_E_MEMORY, ASSAY_E_SYSTEM. */
int assay_fuzz_guide_create(const struct assay_fuzz_corpus *corpus, uint64_t seed, unsigned job,
                            unsigned jobs, uint32_t programs_per_child,
                            struct assay_fuzz_guide **ret_guide, struct assay_error *err);
void assay_fuzz_guide_child(struct assay_fuzz_guide *guide);
/* Decides what program `number` is and enters it into the child's list. */
const struct assay_fuzz_recipe *assay_fuzz_guide_next(struct assay_fuzz_guide *guide,
                                                      uint64_t number);
/* What the child's program in_child was; the last one for numbers beyond it, which only a subject
 * that writes into the report brings up. */
const struct assay_fuzz_recipe *assay_fuzz_guide_recipe(const struct assay_fuzz_guide *guide,
                                                        uint64_t in_child);
/* Where executed events go, in order. */
struct assay_sink assay_fuzz_guide_sink(struct assay_fuzz_guide *guide);
/* The child's program in_child ended and nothing was wrong: it is kept if it showed something new.
 * The maker makes it again, as what the subject shares is not to be trusted. */
int assay_fuzz_guide_take(struct assay_fuzz_guide *guide, struct assay_fuzz_maker *maker,
                          uint64_t in_child, struct assay_error *err);
void assay_fuzz_guide_free(struct assay_fuzz_guide *guide);

#endif

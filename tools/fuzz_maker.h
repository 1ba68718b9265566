/* Makes a job's programs, each as often as it is wanted, from a recipe of a few numbers: a
 * generated program, one that was kept, or a mutant of two kept ones. What a child ran is a list of
 * recipes, so nothing of a history is stored but these. Host only. */
#ifndef ASSAY_FUZZ_MAKER_H
#define ASSAY_FUZZ_MAKER_H

#include "fuzzers/generate.h"
#include "fuzzers/mutate.h"
#include "tools/fuzz_corpus.h"

/* a = 0: program `number` of the generator; b = 0: kept program a; else the mutant `number` of
 * kept programs a and b. Kept programs are counted from 1. */
struct assay_fuzz_recipe {
    uint64_t number;
    uint32_t a, b;
};

struct assay_fuzz_maker {
    uint64_t seed;
    const struct assay_fuzz_corpus *corpus; /* NULL: generated programs only; not owned */
    struct assay_generator generator;
    struct assay_mutator *mutator;
    struct assay_program parents[2];
    struct assay_fuzz_recipe recipe;
};

/* corpus may be NULL. Returns 0 or ASSAY_E_MEMORY. */
int assay_fuzz_maker_init(struct assay_fuzz_maker *maker, enum assay_generate_mode mode,
                          const struct assay_program_limits *limits, uint64_t seed,
                          const struct assay_fuzz_corpus *corpus, struct assay_error *err);
void assay_fuzz_maker_start(struct assay_fuzz_maker *maker, const struct assay_fuzz_recipe *recipe);
/* Writes the next ops, at most capacity (ASSAY_PROGRAM_MAX_OPS at least); *ret_last is true when
 * the program ends with them. */
size_t assay_fuzz_maker_fill(struct assay_fuzz_maker *maker, struct assay_event *ops,
                             size_t capacity, bool *ret_last);
/* What the program leaves live, when it is made. */
const struct assay_live *assay_fuzz_maker_live(const struct assay_fuzz_maker *maker);
void assay_fuzz_maker_free(struct assay_fuzz_maker *maker);

#endif

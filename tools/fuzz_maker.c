#include "tools/fuzz_maker.h"

#include <stdlib.h>
#include <string.h>

int assay_fuzz_maker_init(struct assay_fuzz_maker *maker, enum assay_generate_mode mode,
                          const struct assay_program_limits *limits, uint64_t seed,
                          const struct assay_fuzz_corpus *corpus, struct assay_error *err)
{
    memset(maker, 0, sizeof *maker);
    maker->seed = seed;
    maker->corpus = corpus;
    assay_generate_init(&maker->generator, mode, limits);
    if (!corpus)
        return 0;
    bool failed = !(maker->mutator = malloc(sizeof *maker->mutator));
    for (unsigned i = 0; i < 2; i++) {
        struct assay_program *parent = &maker->parents[i];
        parent->capacity = ASSAY_PROGRAM_MAX_OPS;
        failed |= !(parent->ops = malloc(parent->capacity * sizeof *parent->ops));
    }
    if (failed) {
        assay_fuzz_maker_free(maker);
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    }
    assay_mutate_init(maker->mutator, limits);
    return 0;
}

void assay_fuzz_maker_start(struct assay_fuzz_maker *maker, const struct assay_fuzz_recipe *recipe)
{
    maker->recipe = *recipe;
    if (recipe->a == 0)
        assay_generate_start(&maker->generator, maker->seed, recipe->number);
}

/* A kept program's own ops as the mutator would make them: it keeps the list of what is live. */
size_t assay_fuzz_maker_fill(struct assay_fuzz_maker *maker, struct assay_event *ops,
                             size_t capacity, bool *ret_last)
{
    const struct assay_fuzz_recipe *recipe = &maker->recipe;
    if (recipe->a == 0)
        return assay_generate_fill(&maker->generator, ops, capacity, ret_last);
    ASSAY_CHECK(capacity >= ASSAY_PROGRAM_MAX_OPS); /* a mutant comes whole */
    *ret_last = true;
    assay_fuzz_corpus_decode(maker->corpus, recipe->a - 1, &maker->parents[0]);
    if (recipe->b == 0)
        return assay_mutate_copy(maker->mutator, &maker->parents[0], ops);
    const struct assay_program *other = &maker->parents[0];
    if (recipe->b != recipe->a) {
        assay_fuzz_corpus_decode(maker->corpus, recipe->b - 1, &maker->parents[1]);
        other = &maker->parents[1];
    }
    return assay_mutate(maker->mutator, maker->seed, recipe->number, &maker->parents[0], other,
                        ops);
}

const struct assay_live *assay_fuzz_maker_live(const struct assay_fuzz_maker *maker)
{
    return maker->recipe.a ? &maker->mutator->live : &maker->generator.live;
}

void assay_fuzz_maker_free(struct assay_fuzz_maker *maker)
{
    free(maker->parents[0].ops);
    free(maker->parents[1].ops);
    free(maker->mutator);
    maker->parents[0].ops = maker->parents[1].ops = NULL;
    maker->mutator = NULL;
}

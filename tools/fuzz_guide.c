#include "tools/fuzz_guide.h"

#include <stdlib.h>
#include <string.h>

#include "traces/core/hash.h"

enum { MUTANTS_LEAST = 128, MUTANTS_MOST = 768, CANDIDATES = 3 }; /* mutants in 1,024 programs */

/* So much is looked back when generated programs and mutants are weighed, in ops. */
#define MEMORY_COST 1e6

int assay_fuzz_guide_create(const struct assay_fuzz_corpus *corpus, uint64_t seed, unsigned job,
                            unsigned jobs, uint32_t programs_per_child,
                            struct assay_fuzz_guide **ret_guide, struct assay_error *err)
{
    struct assay_fuzz_guide *guide = calloc(1, sizeof *guide);
    if (!guide)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    guide->seed = seed;
    guide->job = job;
    guide->jobs = jobs;
    guide->capacity = programs_per_child;
    guide->recipes = malloc(programs_per_child * sizeof *guide->recipes);
    int code = guide->recipes ? 0 : assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    if (code == 0)
        code = assay_fuzz_corpus_copy(&guide->corpus, corpus, err);
    if (code == 0)
        code = assay_arena_create(&guide->arena, assay_features_bytes(ASSAY_GENERATE_MAX_OBJECTS),
                                  err);
    if (code < 0) {
        assay_fuzz_guide_free(guide);
        return code;
    }
    bool created =
        assay_features_create(&guide->features, &guide->arena, ASSAY_GENERATE_MAX_OBJECTS);
    ASSAY_CHECK(created);
    *ret_guide = guide;
    return 0;
}

void assay_fuzz_guide_free(struct assay_fuzz_guide *guide)
{
    if (!guide)
        return;
    assay_fuzz_corpus_free(&guide->corpus);
    assay_arena_destroy(&guide->arena);
    free(guide->recipes);
    free(guide);
}

void assay_fuzz_guide_child(struct assay_fuzz_guide *guide)
{
    guide->count = 0;
    guide->ended = false;
    assay_features_reset(&guide->features);
}

/* Of a few at random, the one whose feature the fewest programs showed for what it costs. */
static uint32_t choose(const struct assay_fuzz_guide *guide, struct assay_random *random)
{
    uint32_t best = 0;
    double best_score = 0;
    for (unsigned i = 0; i < CANDIDATES; i++) {
        uint32_t candidate = (uint32_t)assay_random_below(random, guide->corpus.count);
        const struct assay_fuzz_kept *kept = &guide->corpus.kept[candidate];
        double score = (1.0 + guide->seen.shown[kept->feature]) * (64.0 + (double)kept->cost);
        if (i == 0 || score < best_score) {
            best = candidate;
            best_score = score;
        }
    }
    return best + 1;
}

static uint64_t mutants_in_1024(const struct assay_fuzz_guide *guide)
{
    double generated = (guide->news[0] + 1) / (guide->costs[0] + 1000);
    double mutated = (guide->news[1] + 1) / (guide->costs[1] + 1000);
    uint64_t share = (uint64_t)(1024 * mutated / (generated + mutated));
    return share < MUTANTS_LEAST ? MUTANTS_LEAST : share > MUTANTS_MOST ? MUTANTS_MOST : share;
}

static void weigh(struct assay_fuzz_guide *guide, bool mutant, unsigned news)
{
    guide->news[mutant] += news;
    guide->costs[mutant] += (double)guide->features.cost;
    if (guide->costs[0] + guide->costs[1] > MEMORY_COST) {
        for (unsigned i = 0; i < 2; i++) {
            guide->news[i] /= 2;
            guide->costs[i] /= 2;
        }
    }
}

const struct assay_fuzz_recipe *assay_fuzz_guide_next(struct assay_fuzz_guide *guide,
                                                      uint64_t number)
{
    ASSAY_CHECK(guide->count < guide->capacity);
    struct assay_fuzz_recipe *recipe = &guide->recipes[guide->count++];
    uint64_t ordinal = number / guide->jobs;
    struct assay_random random;
    *recipe = (struct assay_fuzz_recipe){.number = number};
    if (ordinal < guide->corpus.loaded) { /* what it shows is not known to this run */
        recipe->a = (uint32_t)ordinal + 1;
        return recipe;
    }
    assay_random_seed(&random, assay_mix64(guide->seed) ^ assay_mix64(number + 1));
    if (guide->corpus.count == 0 || assay_random_below(&random, 1024) >= mutants_in_1024(guide))
        return recipe;
    recipe->a = choose(guide, &random);
    recipe->b = assay_random_below(&random, 2) ? choose(guide, &random) : recipe->a;
    return recipe;
}

const struct assay_fuzz_recipe *assay_fuzz_guide_recipe(const struct assay_fuzz_guide *guide,
                                                        uint64_t in_child)
{
    ASSAY_CHECK(guide->count > 0);
    return &guide->recipes[in_child < guide->count ? in_child : guide->count - 1];
}

static void after(void *self, const struct assay_event *event)
{
    struct assay_fuzz_guide *guide = self;
    assay_features_after(&guide->features, event);
}

static void end(void *self)
{
    struct assay_fuzz_guide *guide = self;
    guide->ended = true;
}

struct assay_sink assay_fuzz_guide_sink(struct assay_fuzz_guide *guide)
{
    return (struct assay_sink){.self = guide, .after = after, .end = end};
}

static int keep(struct assay_fuzz_guide *guide, struct assay_fuzz_maker *maker,
                const struct assay_fuzz_recipe *recipe, uint16_t feature, bool lasting,
                struct assay_error *err)
{
    bool last = false;
    struct assay_program program = {.capacity = ASSAY_PROGRAM_MAX_OPS};
    if (recipe->a && !recipe->b) { /* kept already */
        guide->corpus.kept[recipe->a - 1].feature = feature;
        guide->corpus.kept[recipe->a - 1].cost = guide->features.cost;
        return 0;
    }
    program.ops = malloc(program.capacity * sizeof *program.ops);
    if (!program.ops)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    assay_fuzz_maker_start(maker, recipe);
    program.count = assay_fuzz_maker_fill(maker, program.ops, program.capacity, &last);
    int code = last ? assay_fuzz_corpus_add(&guide->corpus, &program, feature, guide->features.cost,
                                            lasting, guide->job, err)
                    : 0; /* too long to be kept */
    free(program.ops);
    return code;
}

int assay_fuzz_guide_take(struct assay_fuzz_guide *guide, struct assay_fuzz_maker *maker,
                          uint64_t in_child, struct assay_error *err)
{
    uint16_t rarest = 0;
    int code = 0;
    const struct assay_fuzz_recipe *recipe = assay_fuzz_guide_recipe(guide, in_child);
    uint32_t before = guide->seen.features, kept = guide->corpus.count;
    unsigned news = assay_features_enter(&guide->features, &guide->seen, &rarest);
    if (news)
        code = keep(guide, maker, recipe, rarest, guide->seen.features > before, err);
    guide->lasting += guide->corpus.count > kept && guide->seen.features > before;
    if (!recipe->a || recipe->b)
        weigh(guide, recipe->a != 0, news);
    assay_features_reset(&guide->features);
    guide->ended = false;
    return code;
}

/* A judge's beginning, what it judges, and its counters. */
#include "oracles/judge/state.h"

const uint64_t assay_judge_subscribed[ASSAY_PROPERTY_COUNT] = {
#define ASSAY_PROPERTY(ID, statement, severity, needs, optional, source, policy, ops)              \
    [ASSAY_PROPERTY_##ID] = (ops),
#include "oracles/properties.def"
#undef ASSAY_PROPERTY
};

size_t assay_judge_bytes(const struct assay_judge_config *config)
{
    return sizeof(struct assay_judge) + 128 +
           assay_model_bytes(config->max_objects, config->max_live);
}

uint64_t assay_judge_lacking(unsigned property, uint64_t missing_apis)
{
    /* what two rows are about, beside the calls at which they are judged */
    uint64_t about = property == ASSAY_PROPERTY_C24   ? ASSAY_ON_SIZED
                     : property == ASSAY_PROPERTY_C25 ? ASSAY_ON(GOOD_SIZE)
                                                      : 0;
    if (property == ASSAY_PROPERTY_NONE || property >= ASSAY_PROPERTY_COUNT)
        return 0;
    if (about && !(about & ~missing_apis))
        return about;
    if (!(assay_judge_subscribed[property] & ~missing_apis))
        return assay_judge_subscribed[property];
    bool usable = assay_property_info(property)->needs & ASSAY_HAS_USABLE;
    return usable ? ASSAY_ON(USABLE_SIZE) & missing_apis : 0;
}

static bool judges_property(const struct assay_judge_config *config, unsigned property)
{
    const struct assay_property_info *info = assay_property_info(property);
    if (property == ASSAY_PROPERTY_NONE || property >= ASSAY_PROPERTY_COUNT)
        return false;
    if (info->severity == ASSAY_SEVERITY_PROGRAM &&
        (!config->program || (property == ASSAY_PROPERTY_T05 && !config->leaks)))
        return false;
    if (property == ASSAY_PROPERTY_C37 && config->profile.cheri_mantissa == 0)
        return false;
    if (property == ASSAY_PROPERTY_C36 && config->profile.deterministic != ASSAY_ANSWER_YES)
        return false;
    return (info->needs & ~config->has) == 0 &&
           assay_judge_lacking(property, config->missing_apis) == 0;
}

struct assay_judge *assay_judge_create(struct assay_arena *arena,
                                       const struct assay_judge_config *config)
{
    struct assay_judge *judge = assay_arena_take(arena, sizeof *judge, 64);
    if (!judge || !assay_model_create(&judge->model, arena, config->max_objects, config->max_live))
        return NULL;
    judge->config = *config;
    if (config->profile.budget_object_bytes == 0)
        judge->config.profile.budget_object_bytes = ASSAY_DEFAULT_BUDGET_OBJECT;
    if (config->profile.budget_live_bytes == 0)
        judge->config.profile.budget_live_bytes = ASSAY_DEFAULT_BUDGET_LIVE;
    if (config->profile.cheri_mantissa < 5 || config->profile.cheri_mantissa > 32)
        judge->config.profile.cheri_mantissa = 0;
    judge->ground.last_call = judge->good_asked = UINT64_MAX;
    for (unsigned i = 1; i < ASSAY_PROPERTY_COUNT; i++)
        if (judges_property(&judge->config, i))
            judge->judged |= UINT64_C(1) << i;
    return judge;
}

__attribute__((noinline)) void assay_judge_start_tally(struct assay_judge *judge, unsigned kind,
                                                       bool sweep, uint64_t applied)
{
    struct assay_judge_tally *tally = &judge->tallies[kind][sweep];
    for (uint64_t rest = tally->applied; rest != 0; rest &= rest - 1)
        judge->evaluations[__builtin_ctzll(rest)] += tally->ops;
    *tally = (struct assay_judge_tally){.applied = applied, .ops = 1};
    judge->tallied |= UINT64_C(1) << kind;
}

static void end_tallies(struct assay_judge *judge)
{
    for (uint64_t rest = judge->tallied; rest != 0; rest &= rest - 1)
        for (unsigned sweep = 0; sweep < 2; sweep++)
            assay_judge_start_tally(judge, (unsigned)__builtin_ctzll(rest), sweep, 0);
    judge->tallied = 0;
}

void assay_judge_reset(struct assay_judge *judge)
{
    assay_judge_flush(judge);
    end_tallies(judge);
    assay_model_reset(&judge->model);
    judge->op_index = judge->widest = 0;
    judge->good_asked = UINT64_MAX;
    judge->good_told = 0;
    judge->ground = (struct assay_judge_ground){.last_call = UINT64_MAX};
    judge->tainted = judge->misuse_next = judge->unsettled = judge->no_mappings = false;
    assay_resources_reset(&judge->resources);
    judge->context = ASSAY_CONTEXT_NONE;
    judge->special = judge->forked = false;
    judge->last.failed = 0;
    judge->current = NULL;
}

uint64_t assay_judge_evaluations(const struct assay_judge *judge, unsigned property)
{
    if (property >= ASSAY_PROPERTY_COUNT)
        return 0;
    uint64_t sum = judge->evaluations[property];
    for (uint64_t rest = judge->tallied; rest != 0; rest &= rest - 1) {
        const struct assay_judge_tally *tally = judge->tallies[__builtin_ctzll(rest)];
        for (unsigned sweep = 0; sweep < 2; sweep++)
            if (tally[sweep].applied >> property & 1)
                sum += tally[sweep].ops;
    }
    return sum;
}

uint64_t assay_judge_violations(const struct assay_judge *judge, unsigned property)
{
    return property < ASSAY_PROPERTY_COUNT ? judge->violations[property] : 0;
}

bool assay_judge_judges(const struct assay_judge *judge, unsigned property)
{
    return property < ASSAY_PROPERTY_COUNT && (judge->judged >> property & 1);
}

uint64_t assay_judge_calls(const struct assay_judge *judge)
{
    return judge->calls;
}

const struct assay_model *assay_judge_model(const struct assay_judge *judge)
{
    return &judge->model;
}

/* The registry as a table. */
#include "oracles/misuse/misuse.h"

#include <string.h>

#include "oracles/misuse/variants.h"

#define DETECTS(key)  ASSAY_PROMISE_DETECTS, offsetof(struct assay_profile, key), #key
#define PREVENTS(key) ASSAY_PROMISE_PREVENTS, offsetof(struct assay_profile, key), #key
#define AT_MOST(key)  ASSAY_PROMISE_AT_MOST, offsetof(struct assay_profile, key), #key
#define AT_LEAST(key) ASSAY_PROMISE_AT_LEAST, offsetof(struct assay_profile, key), #key
#define NOTHING       ASSAY_PROMISE_NONE, 0, NULL

static const struct assay_misuse_info rows[] = {
#define ASSAY_MISUSE(ROW, variant, builder, argument, flags, ...)                                  \
    {ASSAY_PROPERTY_##ROW, variant, assay_misuse_build_##builder, argument, flags, __VA_ARGS__},
#include "oracles/misuse/misuse.def"
};

size_t assay_misuse_list(const struct assay_misuse_info **ret_rows)
{
    *ret_rows = rows;
    return sizeof rows / sizeof *rows;
}

uint64_t assay_misuse_size(uint64_t trial)
{
    /* one of each few doublings: a promise that is broken for some sizes is broken often */
    static const uint64_t sizes[] = {24, 96, 240, 480, 1000, 3000, 12000, 40000};
    return sizes[trial % (sizeof sizes / sizeof *sizes)];
}

bool assay_misuse_promised(const struct assay_misuse_info *info,
                           const struct assay_profile *profile)
{
    if (info->promise == ASSAY_PROMISE_NONE)
        return false;
    if (info->promise == ASSAY_PROMISE_AT_MOST || info->promise == ASSAY_PROMISE_AT_LEAST)
        return assay_misuse_bound(info, profile) > 0;
    return *((const uint8_t *)profile + info->promise_offset) == ASSAY_ANSWER_YES;
}

uint32_t assay_misuse_bound(const struct assay_misuse_info *info,
                            const struct assay_profile *profile)
{
    uint32_t bound = 0;
    if (info->promise == ASSAY_PROMISE_AT_MOST || info->promise == ASSAY_PROMISE_AT_LEAST)
        memcpy(&bound, (const char *)profile + info->promise_offset, sizeof bound);
    return bound;
}

ASSAY_BUILDER(tags)
{
    (void)variant;
    m->reason = "the subject has no memory tags; the subject tags:16,4 is a model that has";
    return false;
}

void assay_misuse_model(const struct assay_misuse_info *info, const struct assay_tags *tags,
                        uint64_t size, uint64_t draw, struct assay_misuse_verdict *ret_verdict)
{
    bool noticed =
        assay_tags_trial(tags, (enum assay_tags_policy)(info->argument >> 8),
                         (enum assay_tags_access)(info->argument & 0xff), (uint32_t)size, draw);
    *ret_verdict = (struct assay_misuse_verdict){
        .outcome = noticed ? ASSAY_MISUSE_DETECTED : ASSAY_MISUSE_EFFECT,
        .effect = noticed ? ASSAY_EFFECT_NONE : ASSAY_EFFECT_ACCESSIBLE,
        .effects = noticed ? 0 : UINT32_C(1) << ASSAY_EFFECT_ACCESSIBLE,
        .moment = ASSAY_MOMENT_MISUSE,
        .how = noticed ? ASSAY_HOW_ACCESS : ASSAY_HOW_NONE};
}

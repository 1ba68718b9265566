/* The registry as a table. */
#include "oracles/misuse/misuse.h"

#include "oracles/misuse/variants.h"

#define DETECTS(key)  ASSAY_PROMISE_DETECTS, offsetof(struct assay_profile, key), #key
#define PREVENTS(key) ASSAY_PROMISE_PREVENTS, offsetof(struct assay_profile, key), #key
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

bool assay_misuse_promised(const struct assay_misuse_info *info,
                           const struct assay_profile *profile)
{
    if (info->promise == ASSAY_PROMISE_NONE)
        return false;
    return *((const uint8_t *)profile + info->promise_offset) == ASSAY_ANSWER_YES;
}

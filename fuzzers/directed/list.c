/* The registry as a table. */
#include "fuzzers/directed/build.h"

#include "fuzzers/directed/experiments.h"

static const struct assay_directed_info rows[] = {
#define ASSAY_DIRECTED(name, what, builder, argument, flags)                                       \
    {#name, what, assay_directed_build_##builder, argument, flags},
#include "fuzzers/directed.def"
};

size_t assay_directed_list(const struct assay_directed_info **ret_rows)
{
    *ret_rows = rows;
    return sizeof rows / sizeof *rows;
}

struct assay_environment assay_directed_environment(const struct assay_directed_info *info)
{
    return (struct assay_environment){.order =
                                          info->flags & ASSAY_DIRECTED_TURNS   ? ASSAY_ORDER_TURNS
                                          : info->flags & ASSAY_DIRECTED_RACES ? ASSAY_ORDER_PARTIAL
                                                                               : ASSAY_ORDER_SERIAL,
                                      .preempted = info->flags & ASSAY_DIRECTED_RACES,
                                      .mapping_calls = info->flags & ASSAY_DIRECTED_MAPPING,
                                      .twice = info->flags & ASSAY_DIRECTED_TWICE};
}

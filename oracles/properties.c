/* The catalogue as data, and the names of relations. */
#include "oracles/judge.h"

#include <string.h>

static const struct assay_property_info properties[ASSAY_PROPERTY_COUNT] = {
    [ASSAY_PROPERTY_NONE] = {"", "", ASSAY_SEVERITY_QUALITY, 0, 0, "", ""},
#define ASSAY_PROPERTY(ID, statement, severity, needs, optional, source, policy, ops)              \
    [ASSAY_PROPERTY_##                                                                             \
        ID] = {#ID, statement, ASSAY_SEVERITY_##severity, needs, optional, source, policy},
#include "oracles/properties.def"
#undef ASSAY_PROPERTY
};

static const char *const relation_names[ASSAY_RELATION_COUNT] = {
    "none",          "overlap-same-start", "overlap-partial", "null",
    "not-null",      "wrong-errno",        "content-zeroed",  "content-foreign",
    "content-stale", "content-unknown",    "crash",           "hang",
    "abort",         "undetected",         "other",
};

const struct assay_property_info *assay_property_info(unsigned property)
{
    return &properties[property < ASSAY_PROPERTY_COUNT ? property : ASSAY_PROPERTY_NONE];
}

enum assay_property assay_property_by_id(const char *id)
{
    for (unsigned i = 1; i < ASSAY_PROPERTY_COUNT; i++)
        if (strcmp(properties[i].id, id) == 0)
            return (enum assay_property)i;
    return ASSAY_PROPERTY_NONE;
}

const char *assay_relation_name(unsigned relation)
{
    return relation < ASSAY_RELATION_COUNT ? relation_names[relation] : "unknown";
}

/* The catalogue as data, and the names of relations. */
#include "oracles/judge.h"

#include <string.h>

static const struct assay_property_info properties[ASSAY_CATALOGUE_COUNT] = {
    [ASSAY_PROPERTY_NONE] = {.id = "", .statement = "", .source = "", .policy = ""},
#define ASSAY_PROPERTY(ID, text, rank, need, option, origin, mechanism, ops)                       \
    [ASSAY_PROPERTY_##ID] = {.id = #ID,                                                            \
                             .statement = text,                                                    \
                             .severity = ASSAY_SEVERITY_##rank,                                    \
                             .needs = need,                                                        \
                             .optional = option,                                                   \
                             .source = origin,                                                     \
                             .policy = mechanism},
#define ASSAY_MEASURED(ID, text, rank, trial, origin, mechanism, name)                             \
    [ASSAY_PROPERTY_##ID] = {.id = #ID,                                                            \
                             .statement = text,                                                    \
                             .severity = ASSAY_SEVERITY_##rank,                                    \
                             .source = origin,                                                     \
                             .policy = mechanism,                                                  \
                             .unit = ASSAY_UNIT_##trial,                                           \
                             .command = name},
#include "oracles/properties.def"
#undef ASSAY_PROPERTY
};
static const struct {
    const char *name, *what;
} relation_words[ASSAY_RELATION_COUNT] = {
    [ASSAY_RELATION_NONE] = {"none", ""},
    [ASSAY_RELATION_OVERLAP_SAME_START] = {"overlap-same-start",
                                           "an object stands where a live one starts"},
    [ASSAY_RELATION_OVERLAP_PARTIAL] = {"overlap-partial", "two live objects share bytes"},
    [ASSAY_RELATION_NULL] = {"null", "refused what had to be granted"},
    [ASSAY_RELATION_NOT_NULL] = {"not-null", "granted what had to be refused"},
    [ASSAY_RELATION_WRONG_ERRNO] = {"wrong-errno", "errno, or the error returned, is another one"},
    [ASSAY_RELATION_CONTENT_ZEROED] = {"content-zeroed", "zeroes stand where content should"},
    [ASSAY_RELATION_CONTENT_FOREIGN] = {"content-foreign", "another object's content stands there"},
    [ASSAY_RELATION_CONTENT_STALE] = {"content-stale",
                                      "an older content of the object stands there"},
    [ASSAY_RELATION_CONTENT_UNKNOWN] = {"content-unknown", "something else stands there"},
    [ASSAY_RELATION_CRASH] = {"crash", "a legal program died of a signal"},
    [ASSAY_RELATION_HANG] = {"hang", "a legal program did not go on"},
    [ASSAY_RELATION_ABORT] = {"abort", "the allocator ended a legal program"},
    [ASSAY_RELATION_UNDETECTED] = {"undetected", "a misuse that is promised to be noticed was not"},
    [ASSAY_RELATION_OTHER] = {"other", "a figure that is not as it should be"},
    [ASSAY_RELATION_REPORT] = {"report", "the allocator reports corruption in a legal program"},
};

static const struct assay_property_edge edges[] = {
#define ASSAY_RELATES(a, relates, b, why)                                                          \
    {ASSAY_PROPERTY_##a, ASSAY_PROPERTY_##b, ASSAY_RELATES_##relates, why},
#define ASSAY_FORMULA(ID, formula)
#include "oracles/ontology.def"
#undef ASSAY_RELATES
#undef ASSAY_FORMULA
};

static const char *const formulas[ASSAY_CATALOGUE_COUNT] = {
#define ASSAY_RELATES(a, relates, b, why)
#define ASSAY_FORMULA(ID, formula) [ASSAY_PROPERTY_##ID] = (formula),
#include "oracles/ontology.def"
#undef ASSAY_RELATES
#undef ASSAY_FORMULA
};

const struct assay_property_info *assay_property_info(unsigned property)
{
    return &properties[property < ASSAY_CATALOGUE_COUNT ? property : ASSAY_PROPERTY_NONE];
}

const char *assay_property_formula(unsigned property)
{
    return property < ASSAY_CATALOGUE_COUNT ? formulas[property] : NULL;
}

size_t assay_property_edges(const struct assay_property_edge **ret_edges)
{
    *ret_edges = edges;
    return sizeof edges / sizeof *edges;
}

const char *assay_severity_name(unsigned severity)
{
    static const char *const names[ASSAY_SEVERITY_COUNT] = {
        [ASSAY_SEVERITY_QUALITY] = "quality",   [ASSAY_SEVERITY_CONTRACT] = "contract",
        [ASSAY_SEVERITY_SECURITY] = "security", [ASSAY_SEVERITY_CORRUPTION] = "corruption",
        [ASSAY_SEVERITY_PROGRAM] = "program",
    };
    return severity < ASSAY_SEVERITY_COUNT ? names[severity] : "unknown";
}

const char *assay_unit_name(unsigned unit)
{
    static const char *const names[] = {"event", "op", "heap", "process"};
    return unit < sizeof names / sizeof *names ? names[unit] : "unknown";
}

const char *assay_relates_name(unsigned relates)
{
    static const char *const names[ASSAY_RELATES_COUNT] = {"requires", "specialises", "conflicts",
                                                           "indicates"};
    return relates < ASSAY_RELATES_COUNT ? names[relates] : "unknown";
}

/* An id is a capital and figures. */
static bool is_id(const char *id, const char *text)
{
    char first = text[0] >= 'a' && text[0] <= 'z' ? (char)(text[0] - 'a' + 'A') : text[0];
    return id[0] == first && strcmp(id + 1, text + 1) == 0;
}

enum assay_property assay_property_by_id(const char *id)
{
    for (unsigned i = 1; i < ASSAY_CATALOGUE_COUNT; i++)
        if (id[0] && is_id(properties[i].id, id))
            return (enum assay_property)i;
    return ASSAY_PROPERTY_NONE;
}

const char *assay_relation_name(unsigned relation)
{
    return relation < ASSAY_RELATION_COUNT ? relation_words[relation].name : "unknown";
}

const char *assay_relation_what(unsigned relation)
{
    return relation < ASSAY_RELATION_COUNT ? relation_words[relation].what : "";
}

enum assay_relation assay_relation_by_name(const char *name)
{
    for (unsigned r = 1; r < ASSAY_RELATION_COUNT; r++)
        if (strcmp(relation_words[r].name, name) == 0)
            return (enum assay_relation)r;
    return ASSAY_RELATION_NONE;
}

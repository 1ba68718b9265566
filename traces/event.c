#include "traces/event.h"

#include <string.h>

const struct assay_op_info assay_op_infos[ASSAY_OP_COUNT + 1] = {
    [ASSAY_OP_NONE] = {"none", "", ASSAY_CLASS_NONE},
#define ASSAY_OP(number, NAME, name, op_class, arg) [number] = {name, arg, ASSAY_CLASS_##op_class},
#include "traces/ops.def"
#undef ASSAY_OP
    [ASSAY_OP_COUNT] = {"unknown", "", ASSAY_CLASS_NONE},
};

static const char *const place_names[ASSAY_PLACE_COUNT] = {
    "object", "null", "small", "stack", "global", "forged", "guard", "wild", "uninitialised",
};

static const char *const family_names[ASSAY_FAMILY_COUNT] = {"malloc", "new", "new[]", "sized",
                                                             "aligned"};

static const char *const has_names[ASSAY_HAS_COUNT] = {
    "order",  "address", "usable", "errno",  "content", "access",    "caller",
    "thread", "time",    "maps",   "signal", "foreign", "resources", "context",
};

enum assay_op assay_op_by_name(const char *name, size_t length)
{
    for (unsigned kind = 1; kind < ASSAY_OP_COUNT; kind++)
        if (strlen(assay_op_infos[kind].name) == length &&
            memcmp(assay_op_infos[kind].name, name, length) == 0)
            return (enum assay_op)kind;
    return ASSAY_OP_NONE;
}

const char *assay_place_name(unsigned place)
{
    return place < ASSAY_PLACE_COUNT ? place_names[place] : "unknown";
}

const char *assay_family_name(unsigned family)
{
    return family < ASSAY_FAMILY_COUNT ? family_names[family] : "unknown";
}

const char *assay_context_name(unsigned context)
{
    static const char *const names[ASSAY_CONTEXT_COUNT] = {
        [ASSAY_CONTEXT_NONE] = "none",
        [ASSAY_CONTEXT_FIRST] = "first call",
        [ASSAY_CONTEXT_LOOP] = "loop",
        [ASSAY_CONTEXT_KEY] = "key destructor",
        [ASSAY_CONTEXT_ATEXIT] = "exit handler",
        [ASSAY_CONTEXT_ATEXIT_FIRST] = "last exit handler",
        [ASSAY_CONTEXT_PREPARE] = "prepare handler",
        [ASSAY_CONTEXT_PARENT] = "parent handler",
        [ASSAY_CONTEXT_CHILD] = "child handler",
        [ASSAY_CONTEXT_CROWDED] = "crowded process",
    };
    return context < ASSAY_CONTEXT_COUNT ? names[context] : "unknown";
}

const char *assay_has_name(unsigned bit)
{
    return bit < ASSAY_HAS_COUNT ? has_names[bit] : "unknown";
}

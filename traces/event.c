#include "traces/event.h"

#include <string.h>

static const struct assay_op_info op_infos[ASSAY_OP_COUNT] = {
    [ASSAY_OP_NONE] = {"none", "", ASSAY_CLASS_NONE},
#define ASSAY_OP(number, NAME, name, op_class, arg) [number] = {name, arg, ASSAY_CLASS_##op_class},
#include "traces/ops.def"
#undef ASSAY_OP
};

static const char *const place_names[ASSAY_PLACE_COUNT] = {
    "object", "null", "small", "stack", "global", "forged", "guard", "wild", "uninitialised",
};

static const char *const family_names[ASSAY_FAMILY_COUNT] = {"malloc", "new", "new[]", "sized",
                                                             "aligned"};

static const char *const has_names[ASSAY_HAS_COUNT] = {
    "order",  "address", "usable", "errno",  "content", "access",    "caller",
    "thread", "time",    "maps",   "signal", "foreign", "resources",
};

static const struct assay_op_info unknown_op = {"unknown", "", ASSAY_CLASS_NONE};

const struct assay_op_info *assay_op_info(unsigned kind)
{
    return kind < ASSAY_OP_COUNT ? &op_infos[kind] : &unknown_op;
}

enum assay_op assay_op_by_name(const char *name, size_t length)
{
    for (unsigned kind = 1; kind < ASSAY_OP_COUNT; kind++)
        if (strlen(op_infos[kind].name) == length && memcmp(op_infos[kind].name, name, length) == 0)
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

const char *assay_has_name(unsigned bit)
{
    return bit < ASSAY_HAS_COUNT ? has_names[bit] : "unknown";
}

bool assay_event_bytes(const struct assay_event *event, uint64_t *ret_bytes)
{
    if (event->kind != ASSAY_OP_CALLOC && event->kind != ASSAY_OP_REALLOCARRAY) {
        *ret_bytes = event->size;
        return true;
    }
    if (__builtin_mul_overflow(event->size, event->arg, ret_bytes)) {
        *ret_bytes = UINT64_MAX;
        return false;
    }
    return true;
}

uint64_t assay_event_alignment(const struct assay_event *event)
{
    switch (event->kind) {
    case ASSAY_OP_ALIGNED_ALLOC:
    case ASSAY_OP_POSIX_MEMALIGN:
    case ASSAY_OP_MEMALIGN: return event->arg;
    case ASSAY_OP_VALLOC:
    case ASSAY_OP_PVALLOC: return 4096;
    default: return 0;
    }
}

bool assay_event_refused(const struct assay_event *event)
{
    const uint64_t beyond = UINT64_C(1) << 48;
    uint64_t bytes, alignment = assay_event_alignment(event);
    bool power = alignment != 0 && (alignment & (alignment - 1)) == 0;
    if (!assay_event_bytes(event, &bytes) || bytes >= beyond)
        return true;
    if (event->kind == ASSAY_OP_POSIX_MEMALIGN && (alignment % sizeof(void *) != 0 || !power))
        return true;
    return alignment >= beyond && power;
}

bool assay_event_bears(const struct assay_event *event)
{
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    return op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE;
}

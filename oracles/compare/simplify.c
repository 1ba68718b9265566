#include "oracles/compare/simplify.h"

/* What an ordinary request asks for at most, see assay_program_limits_default. */
#define ORDINARY_BYTES     (UINT64_C(1) << 20)
#define ORDINARY_ALIGNMENT (UINT64_C(1) << 20)

static bool has_count(unsigned kind)
{
    return kind == ASSAY_OP_CALLOC || kind == ASSAY_OP_REALLOCARRAY;
}

static bool has_alignment(unsigned kind)
{
    return kind == ASSAY_OP_ALIGNED_ALLOC || kind == ASSAY_OP_POSIX_MEMALIGN ||
           kind == ASSAY_OP_MEMALIGN;
}

static bool has_size(const struct assay_event *op)
{
    return assay_event_bears(op) || op->kind == ASSAY_OP_READ || op->kind == ASSAY_OP_WRITE;
}

/* The least that arg may be; false where arg is not to be changed. */
static bool least_arg(const struct assay_event *op, uint64_t *ret_least)
{
    bool offset =
        assay_op_has_offset(op->kind) || op->kind == ASSAY_OP_READ || op->kind == ASSAY_OP_WRITE;
    bool misuse = (op->flags & ASSAY_FLAG_MISUSE) != 0;
    /* an interior pointer stays one */
    *ret_least = offset ? misuse : 1;
    return offset || has_count(op->kind) || has_alignment(op->kind);
}

static bool is_open(const struct assay_event *before, const struct assay_event *after)
{
    uint64_t bytes;
    if (assay_event_refused(after))
        return !assay_event_refused(before);
    return assay_event_refused(before) &&
           (!assay_event_bytes(after, &bytes) || bytes > ORDINARY_BYTES ||
            assay_event_alignment(after) > ORDINARY_ALIGNMENT);
}

static bool as_malloc(struct assay_event *op)
{
    uint64_t bytes;
    if (!assay_event_bytes(op, &bytes) || assay_event_refused(op))
        return false;
    op->kind = ASSAY_OP_MALLOC;
    op->size = bytes;
    op->arg = 0;
    op->object = 0;
    op->place = ASSAY_PLACE_OBJECT;
    return true;
}

static bool change(struct assay_event *op, enum assay_simplification step)
{
    enum assay_op_class op_class = assay_op_info(op->kind)->op_class;
    bool misuse = (op->flags & ASSAY_FLAG_MISUSE) != 0;
    uint64_t least = 0, bytes;
    bool limit = op->kind == ASSAY_OP_LIMIT || op->kind == ASSAY_OP_REFUSE;
    switch (step) {
    case ASSAY_SIMPLER_LIMIT:
    case ASSAY_SIMPLER_HALF_LIMIT:
        if (!limit || op->size <= 1)
            return false;
        op->size = step == ASSAY_SIMPLER_LIMIT ? 1 : op->size / 2;
        return true;
    case ASSAY_SIMPLER_BIRTH:
        return op_class == ASSAY_CLASS_ALLOCATE && op->kind != ASSAY_OP_MALLOC && as_malloc(op);
    case ASSAY_SIMPLER_RESIZE:
        if ((op->kind != ASSAY_OP_REALLOCARRAY && op->kind != ASSAY_OP_REZALLOC) ||
            !assay_event_bytes(op, &bytes))
            return false;
        op->kind = ASSAY_OP_REALLOC;
        op->size = bytes;
        op->arg = 0;
        return true;
    case ASSAY_SIMPLER_NEW:
        return op_class == ASSAY_CLASS_RESIZE && !misuse && op->born && op->size && as_malloc(op);
    case ASSAY_SIMPLER_RELEASE:
        if (op_class != ASSAY_CLASS_RELEASE || op->kind == ASSAY_OP_FREE || misuse)
            return false;
        op->kind = ASSAY_OP_FREE;
        op->size = op->arg = 0;
        return true;
    case ASSAY_SIMPLER_THREAD:
        if (op->thread == 0 || op_class == ASSAY_CLASS_CONTROL)
            return false;
        op->thread = 0;
        return true;
    case ASSAY_SIMPLER_SIZE:
        if (!has_size(op) || op->size <= 1)
            return false;
        op->size = 1;
        return true;
    case ASSAY_SIMPLER_ARG:
        if (!least_arg(op, &least) || op->arg <= least)
            return false;
        op->arg = has_alignment(op->kind) && op->arg > 16 ? 16 : least;
        return true;
    case ASSAY_SIMPLER_HALF_SIZE:
        if (!has_size(op) || op->size <= 1)
            return false;
        op->size /= 2;
        return true;
    case ASSAY_SIMPLER_HALF_ARG:
        if (!least_arg(op, &least) || op->arg <= least)
            return false;
        op->arg /= 2;
        return true;
    case ASSAY_SIMPLER_COUNT: break;
    }
    return false;
}

bool assay_simplify(struct assay_event *op, enum assay_simplification step)
{
    struct assay_event changed = *op;
    if (!change(&changed, step) || is_open(op, &changed))
        return false;
    *op = changed;
    return true;
}

#include "oracles/compare/minimise.h"

#include <stdlib.h>
#include <string.h>

struct object {
    uint32_t number; /* new number; 0 = gone with its birth */
    bool live;
    uint8_t kind;
    uint64_t bytes, alignment;
};

static uint32_t highest_object(const struct assay_event *ops, size_t n)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < n; i++) {
        highest = ops[i].born > highest ? ops[i].born : highest;
        highest = ops[i].object > highest ? ops[i].object : highest;
    }
    return highest;
}

/* How a sized release of this object must look; another kind when there is no legal one. */
static void mend_release(struct assay_event *op, const struct object *object)
{
    bool plain = object->alignment == 0;
    if (op->kind == ASSAY_OP_FREE_SIZED && plain) {
        op->size = object->bytes;
    } else if (op->kind == ASSAY_OP_FREE_ALIGNED_SIZED && object->kind == ASSAY_OP_ALIGNED_ALLOC) {
        op->size = object->bytes;
        op->arg = object->alignment;
    } else if (op->kind != ASSAY_OP_FREE) {
        op->kind = ASSAY_OP_FREE;
        op->size = op->arg = 0;
    }
}

static bool in_bounds(const struct assay_event *op, const struct object *object)
{
    return op->arg < object->bytes && op->size != 0 && op->size <= object->bytes - op->arg;
}

size_t assay_minimise_repair(const struct assay_event *ops, size_t n, const bool *keep,
                             struct assay_event *out)
{
    uint32_t *alias = calloc((size_t)highest_object(ops, n) + 1, sizeof *alias);
    struct object *objects = calloc(n + 1, sizeof *objects); /* by new number */
    uint32_t born = 0, released = 0;
    size_t count = 0;

    for (size_t i = 0; i < n && alias && objects; i++) {
        enum assay_op_class op_class = assay_op_info(ops[i].kind)->op_class;
        struct assay_event op = {.kind = ops[i].kind,
                                 .family = ops[i].family,
                                 .place = ops[i].place,
                                 .flags = ops[i].flags & ASSAY_FLAG_MISUSE,
                                 .thread = ops[i].thread,
                                 .size = ops[i].size,
                                 .arg = ops[i].arg};
        bool resize = op_class == ASSAY_CLASS_RESIZE;
        bool misuse = (op.flags & ASSAY_FLAG_MISUSE) != 0;
        struct object *operand = NULL;

        if (keep && !keep[i]) {
            if (resize && ops[i].born)
                alias[ops[i].born] = alias[ops[i].object];
            continue;
        }
        if (ops[i].object) {
            op.object = alias[ops[i].object];
            operand = &objects[op.object];
            if (op.object == 0 || (misuse ? op.object != released : !operand->live))
                continue;
            if (op_class == ASSAY_CLASS_RELEASE && !misuse)
                mend_release(&op, operand);
            if ((op.kind == ASSAY_OP_READ || op.kind == ASSAY_OP_WRITE) && !in_bounds(&op, operand))
                continue;
        }
        bool refused = assay_event_refused(&op);
        released = 0;
        if (operand && !misuse && (op_class == ASSAY_CLASS_RELEASE || (resize && !refused))) {
            operand->live = false;
            released = op_class == ASSAY_CLASS_RELEASE ? op.object : 0;
        }
        if (ops[i].born) {
            struct object *object = &objects[op.born = ++born];
            alias[ops[i].born] = refused && resize && operand ? op.object : op.born;
            object->live = !refused;
            object->kind = op.kind;
            object->alignment = assay_event_alignment(&op);
            assay_event_bytes(&op, &object->bytes);
        }
        out[count++] = op;
    }
    free(alias);
    free(objects);
    return count;
}

struct work {
    const struct assay_minimise *minimise;
    struct assay_event *best, *candidate, *scratch;
    size_t count;
    bool *keep;
};

static bool expired(const struct work *work)
{
    return work->minimise->expired && work->minimise->expired(work->minimise->self);
}

/* Takes the candidate over if it passes. */
static bool try_candidate(struct work *work, size_t count)
{
    if (count == 0)
        return false;
    memcpy(work->scratch, work->candidate, count * sizeof *work->scratch);
    if (!work->minimise->test(work->minimise->self, work->scratch, count))
        return false;
    memcpy(work->best, work->candidate, count * sizeof *work->best);
    work->count = count;
    return true;
}

static bool try_kept(struct work *work)
{
    size_t count = assay_minimise_repair(work->best, work->count, work->keep, work->candidate);
    return count < work->count && try_candidate(work, count);
}

/* A lineage is an object and all that resizes make of it. Fills lineage[op], returns how many. */
static uint32_t find_lineages(const struct work *work, uint32_t *lineage)
{
    uint32_t highest = highest_object(work->best, work->count), lineages = 0;
    uint32_t *of_object = calloc((size_t)highest + 1, sizeof *of_object);
    for (size_t i = 0; i < work->count && of_object; i++) {
        const struct assay_event *op = &work->best[i];
        uint32_t own = op->object ? of_object[op->object] : op->born ? ++lineages : 0;
        if (op->born)
            of_object[op->born] = own;
        lineage[i] = own;
    }
    free(of_object);
    return lineages;
}

/* One pass of removals, from half the units down to single ones; units are lineages or ops. Goes
 * backwards, as late units are seldom needed by early ones. */
static bool remove_units(struct work *work, bool by_lineage)
{
    uint32_t *unit = malloc(work->count * sizeof *unit);
    bool progress = false;
    if (!unit)
        return false;
    size_t units = by_lineage ? find_lineages(work, unit) : work->count;
    for (size_t chunk = (units + 1) / 2; chunk > 0 && !expired(work); chunk /= 2) {
        for (size_t end = units; end > 0 && !expired(work); end = end > chunk ? end - chunk : 0) {
            size_t start = end > chunk ? end - chunk : 0;
            for (size_t i = 0; i < work->count; i++) {
                size_t own = by_lineage ? unit[i] : i + 1;
                work->keep[i] = own <= start || own > end;
            }
            if (!try_kept(work))
                continue;
            progress = true;
            units = by_lineage ? find_lineages(work, unit) : work->count;
            if (end > units)
                end = units + chunk; /* the list became shorter: go on at its end */
        }
    }
    free(unit);
    return progress;
}

static bool try_change(struct work *work, size_t at, const struct assay_event *changed)
{
    struct assay_event before = work->best[at];
    work->best[at] = *changed;
    size_t count = assay_minimise_repair(work->best, work->count, NULL, work->candidate);
    work->best[at] = before;
    return try_candidate(work, count);
}

static bool halve(struct work *work, size_t at, bool size)
{
    bool progress = false;
    while (at < work->count && !expired(work)) {
        struct assay_event changed = work->best[at];
        uint64_t *value = size ? &changed.size : &changed.arg;
        uint64_t least = size ? 1 : 8;
        if (*value <= least || assay_event_refused(&changed))
            return progress;
        *value /= 2;
        if (!try_change(work, at, &changed))
            return progress;
        progress = true;
    }
    return progress;
}

/* All sizes at once, then each op: simpler kind, smaller size, count, alignment. */
static bool simplify(struct work *work)
{
    bool progress = false;
    for (size_t i = 0; i < work->count && !expired(work); i++) {
        struct assay_event changed = work->best[i];
        enum assay_op_class op_class = assay_op_info(changed.kind)->op_class;
        uint64_t bytes;
        bool fits = assay_event_bytes(&changed, &bytes);
        if (changed.flags & ASSAY_FLAG_MISUSE || changed.kind == ASSAY_OP_MALLOC ||
            changed.kind == ASSAY_OP_FREE)
            ;
        else if (op_class == ASSAY_CLASS_ALLOCATE && fits) {
            changed.kind = ASSAY_OP_MALLOC;
            changed.size = bytes;
            changed.arg = 0;
            progress |= try_change(work, i, &changed);
        } else if (changed.kind == ASSAY_OP_REALLOCARRAY && fits) {
            changed.kind = ASSAY_OP_REALLOC;
            changed.size = bytes;
            changed.arg = 0;
            progress |= try_change(work, i, &changed);
        } else if (op_class == ASSAY_CLASS_RELEASE) {
            changed.kind = ASSAY_OP_FREE;
            changed.size = changed.arg = 0;
            progress |= try_change(work, i, &changed);
        }
        if (op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE) {
            progress |= halve(work, i, true);
            if (i < work->count && work->best[i].kind != ASSAY_OP_REALLOC)
                progress |= halve(work, i, false);
        }
    }
    return progress;
}

size_t assay_minimise(struct assay_event *ops, size_t n, const struct assay_minimise *minimise)
{
    struct work work = {.minimise = minimise, .best = ops};
    struct assay_event *original = malloc(n * sizeof *original);
    size_t result = 0;

    work.candidate = malloc(n * sizeof *work.candidate);
    work.scratch = malloc(n * sizeof *work.scratch);
    work.keep = malloc(n * sizeof *work.keep);
    if (original && work.candidate && work.scratch && work.keep) {
        memcpy(original, ops, n * sizeof *original);
        size_t count = assay_minimise_repair(original, n, NULL, work.candidate);
        result = n;
        if (try_candidate(&work, count)) {
            bool progress = true;
            for (unsigned round = 0; progress && round < 8 && !expired(&work); round++) {
                progress = remove_units(&work, true);
                progress |= remove_units(&work, false);
                progress |= simplify(&work);
            }
            result = work.count;
        }
    }
    free(original);
    free(work.candidate);
    free(work.scratch);
    free(work.keep);
    return result;
}

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "oracles/compare/minimise.h"

/* Where an object lives: a bit per process, for a fork leaves each its own. */
static uint64_t bit_of(uint64_t process)
{
    return UINT64_C(1) << (process & 63);
}

struct object {
    uint64_t live;
    uint8_t kind;
    uint64_t bytes, alignment;
};

uint32_t assay_minimise_highest(const struct assay_event *ops, size_t n)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < n; i++) {
        if (assay_event_bears(&ops[i]) && ops[i].born > highest)
            highest = ops[i].born;
        if (ops[i].object > highest)
            highest = ops[i].object;
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

/* What lives: an op's effect on its operand and on what it bears. */
struct lives {
    uint32_t *alias;    /* new number by old one; 0 = gone with its birth */
    uint64_t *was_live; /* by old number, in the program as it was */
    struct object *objects;
    uint32_t born, highest; /* new and old numbers */
};

/* What lives in the parent lives in its child. */
static void inherit_old(const struct lives *lives, const struct assay_event *op)
{
    for (uint32_t i = 0; i <= lives->highest && op->kind == ASSAY_OP_FORK; i++)
        if (lives->was_live[i] & bit_of(op->process))
            lives->was_live[i] |= bit_of(op->arg);
}

static void inherit_new(const struct lives *lives, const struct assay_event *op)
{
    for (uint32_t i = 0; i <= lives->born && op->kind == ASSAY_OP_FORK; i++)
        if (lives->objects[i].live & bit_of(op->process))
            lives->objects[i].live |= bit_of(op->arg);
}

static bool is_resize(const struct assay_event *op)
{
    return assay_op_info(op->kind)->op_class == ASSAY_CLASS_RESIZE;
}

/* By its size, or as it was seen. */
static bool is_refused(const struct assay_event *op)
{
    return assay_event_refused(op) || (is_resize(op) && op->error == ENOMEM);
}

void assay_minimise_mark(struct assay_event *ops, size_t n, const struct assay_event *results)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes;
        bool wraps = !assay_event_bytes(&results[i], &bytes);
        bool refused = results[i].flags & ASSAY_FLAG_EXECUTED && results[i].address == 0 &&
                       (wraps || bytes != 0) && is_resize(&ops[i]);
        ops[i].error = refused ? ENOMEM : 0;
    }
}

void assay_minimise_unmark(struct assay_event *ops, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ops[i].error = 0;
}

/* Follows the program as it was. Returns true if the operand lived before the op. */
static bool follow(const struct lives *lives, const struct assay_event *op, bool misuse)
{
    enum assay_op_class op_class = assay_op_info(op->kind)->op_class;
    bool refused = is_refused(op);
    uint64_t here = bit_of(op->process);
    bool lived = op->object && (lives->was_live[op->object] & here);
    inherit_old(lives, op);
    if (lived && !misuse &&
        (op_class == ASSAY_CLASS_RELEASE || (op_class == ASSAY_CLASS_RESIZE && !refused)))
        lives->was_live[op->object] &= ~here;
    if (assay_event_bears(op) && op->born)
        lives->was_live[op->born] = refused ? 0 : here;
    return lived;
}

/* Fits the op's operand. False: it is not legal any more, or, of a misuse, not the same one. */
static bool mend_operand(const struct lives *lives, struct assay_event *op, uint32_t was,
                         bool lived, bool misuse)
{
    op->object = lives->alias[was];
    const struct object *operand = &lives->objects[op->object];
    bool lives_now = operand->live & bit_of(op->process);
    if (op->object == 0 || lives_now != (misuse ? lived : true))
        return false;
    if (misuse)
        return true;
    if (assay_op_info(op->kind)->op_class == ASSAY_CLASS_RELEASE)
        mend_release(op, operand);
    return (op->kind != ASSAY_OP_READ && op->kind != ASSAY_OP_WRITE) || in_bounds(op, operand);
}

static void bear(struct lives *lives, struct assay_event *op, uint32_t was)
{
    bool refused = is_refused(op);
    bool resize = assay_op_info(op->kind)->op_class == ASSAY_CLASS_RESIZE;
    struct object *object = &lives->objects[op->born = ++lives->born];
    lives->alias[was] = refused && resize && op->object ? op->object : op->born;
    object->live = refused ? 0 : bit_of(op->process);
    object->kind = op->kind;
    object->alignment = assay_event_alignment(op);
    assay_event_bytes(op, &object->bytes);
}

size_t assay_minimise_repair(const struct assay_event *ops, size_t n, const bool *keep,
                             struct assay_event *out)
{
    size_t highest = assay_minimise_highest(ops, n), count = 0;
    struct lives lives = {.alias = calloc(highest + 1, sizeof *lives.alias),
                          .was_live = calloc(highest + 1, sizeof *lives.was_live),
                          .objects = calloc(n + 1, sizeof *lives.objects),
                          .highest = (uint32_t)highest};

    for (size_t i = 0; i < n && lives.alias && lives.was_live && lives.objects; i++) {
        enum assay_op_class op_class = assay_op_info(ops[i].kind)->op_class;
        struct assay_event op = {.kind = ops[i].kind,
                                 .family = ops[i].family,
                                 .place = ops[i].place,
                                 .flags = ops[i].flags & ASSAY_FLAG_MISUSE,
                                 .thread = ops[i].thread,
                                 .process = ops[i].process,
                                 .size = ops[i].size,
                                 .arg = ops[i].arg};
        bool resize = op_class == ASSAY_CLASS_RESIZE, bears = assay_event_bears(&op);
        op.error = resize ? ops[i].error : 0;
        bool misuse = (op.flags & ASSAY_FLAG_MISUSE) != 0;
        bool lived = follow(&lives, &ops[i], misuse);

        if (!keep || keep[i])
            inherit_new(&lives, &op);
        if (keep && !keep[i]) {
            if (resize && ops[i].born)
                lives.alias[ops[i].born] = lives.alias[ops[i].object];
            continue;
        }
        if (ops[i].object && !mend_operand(&lives, &op, ops[i].object, lived, misuse))
            continue;
        if (op.object && !misuse &&
            (op_class == ASSAY_CLASS_RELEASE || (resize && !is_refused(&op))))
            lives.objects[op.object].live &= ~bit_of(op.process);
        if (bears && ops[i].born)
            bear(&lives, &op, ops[i].born);
        else
            op.born = ops[i].born; /* a store's length */
        out[count++] = op;
    }
    free(lives.alias);
    free(lives.was_live);
    free(lives.objects);
    return count;
}

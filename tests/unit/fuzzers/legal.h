/* An independent reading of "a legal program within the limits", to hold against what decoder and
 * generator make. It knows nothing of their live list. */
#ifndef ASSAY_TEST_LEGAL_H
#define ASSAY_TEST_LEGAL_H

#include "fuzzers/program.h"

/* Returns NULL, or what is wrong; *ret_at is the op. */
static inline const char *first_illegality(const struct assay_event *ops, size_t count,
                                           const struct assay_program_limits *limits,
                                           size_t *ret_at)
{
    enum { HIGHEST = 70000 };
    static struct {
        uint8_t state; /* 0 unborn, 1 live, 2 dead */
        uint8_t kind;
        uint64_t bytes, alignment;
    } objects[HIGHEST];
    uint32_t born = 0;
    for (size_t i = 0; i < HIGHEST; i++)
        objects[i].state = 0;
    for (size_t i = 0; i < count; i++) {
        const struct assay_event *op = &ops[i];
        enum assay_op_class op_class = assay_op_info(op->kind)->op_class;
        uint64_t bytes, alignment = assay_event_alignment(op);
        bool fits = assay_event_bytes(op, &bytes);
        bool power = alignment && (alignment & (alignment - 1)) == 0;
        bool refused = !fits || bytes >= UINT64_C(1) << 48 || (power && alignment >> 48) ||
                       (op->kind == ASSAY_OP_POSIX_MEMALIGN && (!power || alignment < 8));
        *ret_at = i;
        if (op->family || op->thread || op->process || op->address || op->time || op->site ||
            op->usable_extra || op->error || op->signal || op->checked || op->failed)
            return "more than an op";
        bool offered = op->kind >= ASSAY_OP_REZALLOC && op->kind <= ASSAY_OP_HEAP_WALK;
        if ((op->kind >= ASSAY_OP_THREAD_START && !offered) || op_class == ASSAY_CLASS_NONE)
            return "a kind that programs do not have";
        if (op_class != ASSAY_CLASS_ACCESS && limits->missing_apis >> op->kind & 1)
            return "an API that the subject lacks";
        if (op->place != ASSAY_PLACE_OBJECT &&
            (op->place != ASSAY_PLACE_NULL || op->object || op_class == ASSAY_CLASS_ALLOCATE ||
             op_class == ASSAY_CLASS_ACCESS))
            return "a place that is not legal here";
        if (op->flags == ASSAY_FLAG_MISUSE && limits->misuse) {
            if (i + 1 != count || op->kind != ASSAY_OP_FREE || i == 0 ||
                ops[i - 1].object != op->object || objects[op->object].state != 2)
                return "a misuse other than a double free at once at the end";
            continue;
        }
        if (op->flags)
            return "a flag";
        if (op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE) {
            if (op->born != ++born || born >= HIGHEST)
                return "object numbers do not rise by birth";
            if (!refused && bytes > limits->max_object_bytes)
                return "an object beyond the limit";
            if (op->kind == ASSAY_OP_REZALLOC && bytes == 0)
                return "rezalloc of nothing";
            if (op->kind == ASSAY_OP_MEMALIGN && !power)
                return "memalign with a bad alignment";
            if (power && !refused && alignment > UINT64_C(1) << 20)
                return "an alignment whose answer is open";
        } else if (op->born) {
            return "a birth from another kind";
        }
        if (op->object) {
            if (op_class == ASSAY_CLASS_ALLOCATE || objects[op->object].state != 1)
                return "an operand that is not live";
            if (op->kind == ASSAY_OP_FREE_SIZED &&
                (objects[op->object].alignment || op->size != objects[op->object].bytes))
                return "free_sized without its size";
            if (op->kind == ASSAY_OP_FREE_ALIGNED_SIZED &&
                (objects[op->object].kind != ASSAY_OP_ALIGNED_ALLOC ||
                 op->size != objects[op->object].bytes || op->arg != objects[op->object].alignment))
                return "free_aligned_sized without its size";
            if ((op->kind == ASSAY_OP_READ || op->kind == ASSAY_OP_WRITE) &&
                (op->size == 0 || op->arg >= objects[op->object].bytes ||
                 op->size > objects[op->object].bytes - op->arg))
                return "an access out of bounds";
        } else if (op->place == ASSAY_PLACE_OBJECT &&
                   (op_class == ASSAY_CLASS_RESIZE || op_class == ASSAY_CLASS_RELEASE ||
                    op->kind == ASSAY_OP_READ || op->kind == ASSAY_OP_WRITE)) {
            return "no operand";
        }
        if (op->object &&
            (op_class == ASSAY_CLASS_RELEASE || (op_class == ASSAY_CLASS_RESIZE && !refused)))
            objects[op->object].state = 2;
        if (op->born && !refused) {
            objects[op->born].state = 1;
            objects[op->born].kind = op->kind;
            objects[op->born].bytes = bytes;
            objects[op->born].alignment =
                op->kind == ASSAY_OP_ALIGNED_ALLOC && !power ? UINT64_MAX : alignment;
        }
    }
    return NULL;
}

#endif

#include "fuzzers/live.h"

/* Objects up to this size are had beyond the byte limit, so that a full heap still allocates. */
#define SMALL_BYTES 64

static bool power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static bool allowed(const struct assay_program_limits *limits, unsigned kind)
{
    return (limits->missing_apis >> kind & 1) == 0;
}

/* The kind to use instead of one that the subject lacks. */
static uint8_t substitute(const struct assay_program_limits *limits, uint8_t kind)
{
    static const uint8_t allocating[] = {ASSAY_OP_MALLOC,         ASSAY_OP_CALLOC,
                                         ASSAY_OP_ALIGNED_ALLOC,  ASSAY_OP_MEMALIGN,
                                         ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_REALLOC};
    switch (assay_op_info(kind)->op_class) {
    case ASSAY_CLASS_ALLOCATE:
    case ASSAY_CLASS_RESIZE:
        for (size_t i = 0; i < sizeof allocating; i++)
            if (allowed(limits, allocating[i]))
                return allocating[i];
        return ASSAY_OP_CHECK;
    case ASSAY_CLASS_RELEASE:
        return allowed(limits, ASSAY_OP_FREE) ? ASSAY_OP_FREE : ASSAY_OP_CHECK;
    default: return ASSAY_OP_CHECK;
    }
}

static void fit_alignment(struct assay_event *op)
{
    bool open = op->kind == ASSAY_OP_MEMALIGN;
    bool power = power_of_two(op->arg);
    if (power && op->arg > ASSAY_ALIGNMENT_MAX && op->arg < ASSAY_SIZE_REFUSED)
        op->arg = ASSAY_ALIGNMENT_MAX;
    else if (!power && (open || op->arg > ASSAY_ALIGNMENT_MAX))
        op->arg = 16;
}

/* Keeps what can be had within the limits; what must be refused stays as it is. */
static void fit_size(const struct assay_live *live, const struct assay_program_limits *limits,
                     struct assay_event *op, uint64_t given_up)
{
    uint64_t bytes;
    bool product = op->kind == ASSAY_OP_CALLOC || op->kind == ASSAY_OP_REALLOCARRAY;
    if (!assay_event_bytes(op, &bytes) || bytes >= ASSAY_SIZE_REFUSED)
        return;
    if (bytes > limits->max_object_bytes) {
        op->size %= limits->max_object_bytes + 1;
        if (product)
            op->arg = 1;
        bytes = op->size;
    }
    if (bytes > SMALL_BYTES && live->bytes - given_up + bytes > limits->max_live_bytes) {
        op->size %= SMALL_BYTES + 1;
        if (product)
            op->arg = 1;
    }
}

static void fit_access(struct assay_event *op, uint64_t bytes)
{
    if (bytes == 0) {
        op->kind = ASSAY_OP_CHECK;
        op->size = op->arg = 0;
        return;
    }
    op->arg %= bytes;
    uint64_t most = bytes - op->arg < ASSAY_ACCESS_MAX ? bytes - op->arg : ASSAY_ACCESS_MAX;
    if (op->size == 0 || op->size > most)
        op->size = op->size % most + 1;
}

/* A question about the heap: how large a request, and which figure. */
static void fit_query(const struct assay_program_limits *limits, struct assay_event *op)
{
    op->size = op->kind == ASSAY_OP_GOOD_SIZE ? op->size % (limits->max_object_bytes + 1) : 0;
    op->arg = op->kind == ASSAY_OP_STATISTICS && op->arg != 0;
}

/* A null pointer may be given back with any size, and any alignment that there is. */
static void fit_nothing(const struct assay_program_limits *limits, struct assay_event *op)
{
    bool aligned = op->kind == ASSAY_OP_FREE_ALIGNED_SIZED;
    bool sized = aligned || op->kind == ASSAY_OP_FREE_SIZED;
    op->size = sized ? op->size % (limits->max_object_bytes + 1) : 0;
    if (!aligned)
        op->arg = 0;
    else if (!power_of_two(op->arg) || op->arg > ASSAY_ALIGNMENT_MAX)
        op->arg = 16;
}

static void make_check_of_all(struct assay_event *op)
{
    *op = (struct assay_event){.kind = ASSAY_OP_CHECK};
}

size_t assay_live_fit(const struct assay_live *live, const struct assay_program_limits *limits,
                      struct assay_event *op, size_t index)
{
    bool null = op->place == ASSAY_PLACE_NULL;
    bool misuse = (op->flags & ASSAY_FLAG_MISUSE) != 0;
    const uint8_t kind = op->kind; /* as proposed */

    *op = (struct assay_event){.kind = kind, .size = op->size, .arg = op->arg};
    if (misuse && limits->misuse && live->last_free != 0 && allowed(limits, ASSAY_OP_FREE)) {
        *op = (struct assay_event){
            .kind = ASSAY_OP_FREE, .object = live->last_free, .flags = ASSAY_FLAG_MISUSE};
        return 0;
    }
    if (!allowed(limits, op->kind) && op->kind != ASSAY_OP_CHECK && op->kind != ASSAY_OP_READ &&
        op->kind != ASSAY_OP_WRITE)
        op->kind = substitute(limits, op->kind);

    enum assay_op_class op_class = assay_op_info(op->kind)->op_class;
    bool adds = op_class == ASSAY_CLASS_ALLOCATE ||
                (op_class == ASSAY_CLASS_RESIZE && (null || live->count == 0));
    if (adds && live->count >= limits->max_live_objects) {
        op->kind = substitute(limits, ASSAY_OP_FREE);
        op_class = assay_op_info(op->kind)->op_class;
        op->size = op->arg = 0;
        null = false;
    }
    if (assay_op_of_heap(op->kind) || op_class == ASSAY_CLASS_NONE) {
        fit_query(limits, op);
        return 0;
    }
    if (op_class == ASSAY_CLASS_ALLOCATE) {
        bool aligned = op->kind == ASSAY_OP_ALIGNED_ALLOC || op->kind == ASSAY_OP_POSIX_MEMALIGN ||
                       op->kind == ASSAY_OP_MEMALIGN;
        if (aligned && kind == op->kind)
            fit_alignment(op);
        else if (op->kind != kind)
            op->arg = aligned ? 16 : op->kind == ASSAY_OP_CALLOC;
        else if (op->kind != ASSAY_OP_CALLOC)
            op->arg = 0;
        fit_size(live, limits, op, 0);
        op->born = live->born + 1;
        return 0;
    }

    bool access =
        op->kind == ASSAY_OP_READ || op->kind == ASSAY_OP_WRITE || op->kind == ASSAY_OP_CHECK;
    if (null || live->count == 0) {
        if (access || op->kind == ASSAY_OP_OBJECT_SIZE) {
            make_check_of_all(op);
            return 0;
        }
        if (op_class != ASSAY_CLASS_RESIZE)
            fit_nothing(limits, op);
        op->place = ASSAY_PLACE_NULL;
    } else {
        const struct assay_live_object *operand = &live->objects[index %= live->count];
        op->object = operand->object;
        bool sized = op->kind == ASSAY_OP_FREE_SIZED && operand->alignment_log == 0;
        bool aligned = op->kind == ASSAY_OP_FREE_ALIGNED_SIZED && operand->alignment_log != 0 &&
                       operand->alignment_log != ASSAY_LIVE_UNSIZED;
        if (op_class == ASSAY_CLASS_RELEASE) {
            if (!sized && !aligned)
                op->kind = substitute(limits, ASSAY_OP_FREE);
            op->size = sized || aligned ? operand->bytes : 0;
            op->arg = aligned ? UINT64_C(1) << (operand->alignment_log - 1) : 0;
        } else if (op->kind == ASSAY_OP_READ || op->kind == ASSAY_OP_WRITE) {
            fit_access(op, operand->bytes);
        } else if (op_class != ASSAY_CLASS_RESIZE) {
            op->size = op->arg = 0;
        }
    }
    if (op_class == ASSAY_CLASS_RESIZE) {
        if (op->kind != ASSAY_OP_REALLOCARRAY)
            op->arg = 0;
        fit_size(live, limits, op, op->object ? live->objects[index].bytes : 0);
        if (op->kind == ASSAY_OP_REZALLOC && op->size == 0)
            op->size = 1; /* what it does with nothing, nobody says */
        op->born = live->born + 1;
    }
    return index;
}

/* Which sized release an object may get: see struct assay_live_object. */
static uint16_t sized_release(const struct assay_event *op)
{
    if (op->kind == ASSAY_OP_ALIGNED_ALLOC && power_of_two(op->arg))
        return (uint16_t)(__builtin_ctzll(op->arg) + 1);
    return assay_event_alignment(op) != 0 || op->kind == ASSAY_OP_ALIGNED_ALLOC ? ASSAY_LIVE_UNSIZED
                                                                                : 0;
}

void assay_live_apply(struct assay_live *live, const struct assay_event *op, size_t index)
{
    enum assay_op_class op_class = assay_op_info(op->kind)->op_class;
    bool asks = op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE;
    bool bears = asks && !assay_event_refused(op);
    bool misuse = (op->flags & ASSAY_FLAG_MISUSE) != 0;

    live->last_free = 0;
    if (asks)
        live->born = op->born;
    if (op->object && !misuse && (op_class == ASSAY_CLASS_RELEASE || bears)) {
        struct assay_live_object *operand = &live->objects[index];
        if (op_class == ASSAY_CLASS_RELEASE && operand->certain)
            live->last_free = operand->object;
        live->bytes -= operand->bytes;
        *operand = live->objects[--live->count];
    }
    if (bears) {
        struct assay_live_object *object = &live->objects[live->count++];
        uint64_t bytes;
        assay_event_bytes(op, &bytes);
        object->object = op->born;
        object->bytes = bytes;
        object->alignment_log = sized_release(op);
        object->certain = bytes > 0 && (assay_event_alignment(op) == 0 ||
                                        power_of_two(assay_event_alignment(op)));
        live->bytes += bytes;
    }
}

void assay_live_place(const struct assay_live *live, uint16_t *places, size_t index)
{
    /* a release moves the last of the list to its place, a birth is the last */
    if (index < live->count)
        places[live->objects[index].object] = (uint16_t)index;
    if (live->count)
        places[live->objects[live->count - 1].object] = (uint16_t)(live->count - 1);
}

size_t assay_live_find(const struct assay_live *live, const uint16_t *places, uint32_t object)
{
    size_t at = places[object];
    return at < live->count && live->objects[at].object == object ? at : SIZE_MAX;
}

#include "fuzzers/mutate.h"

#include <string.h>

enum shape {
    SHAPE_WHOLE, /* only single ops change */
    SHAPE_SPLICE,
    SHAPE_INSERT,
    SHAPE_REPLACE,
    SHAPE_LEAVE_OUT,
    SHAPE_REPEAT,
    SHAPES
};

enum edit {
    EDIT_SIZE,
    EDIT_KIND,
    EDIT_OPERAND,
    EDIT_DROP,
    EDIT_BURST,   /* the op many times */
    EDIT_RELEASE, /* of some object, before the op */
    EDITS
};

static uint64_t below(struct assay_mutator *m, uint64_t bound)
{
    return assay_random_below(&m->random, bound);
}

static bool chance(struct assay_mutator *m, uint32_t in_1024)
{
    return (assay_random_next(&m->random) >> 54) < in_1024;
}

static void put(struct assay_mutator *m, const struct assay_event *proposal, size_t index)
{
    if (m->count == ASSAY_PROGRAM_MAX_OPS)
        return;
    struct assay_event *op = &m->ops[m->count++];
    *op = *proposal;
    index = assay_live_fit(&m->live, &m->limits, op, index);
    assay_live_apply(&m->live, op, index);
    if (op->born)
        assay_event_bytes(op, &m->bytes[op->born]);
    assay_live_place(&m->live, m->places, index);
}

/* The place in the list of some live object: the newest, the oldest, any. */
static size_t any_live(struct assay_mutator *m)
{
    if (m->live.count == 0)
        return 0;
    switch (below(m, 4)) {
    case 0: return m->live.count - 1;
    case 1: return 0;
    default: return (size_t)below(m, m->live.count);
    }
}

/* The place of a live object of about this size, or of any. */
static size_t alike(struct assay_mutator *m, uint64_t bytes)
{
    enum { TRIES = 16 };
    for (size_t i = 0; i < TRIES && i < m->live.count; i++) {
        size_t at = i % 2 ? (size_t)below(m, m->live.count) : m->live.count - 1 - i / 2;
        uint64_t other = m->live.objects[at].bytes;
        if (other / 16 == bytes / 16 || (other ^ bytes) < (other & bytes))
            return at;
    }
    return any_live(m);
}

/* The place of the mutant's heir of a parent's object, or of some other where there is none. */
static size_t find_operand(struct assay_mutator *m, unsigned parent, uint32_t object)
{
    uint32_t heir = m->heirs[parent][object];
    size_t at = heir ? assay_live_find(&m->live, m->places, heir) : SIZE_MAX;
    if (at != SIZE_MAX)
        return at;
    return heir ? alike(m, m->bytes[heir]) : any_live(m);
}

/* Near where allocators change their mind: classes at powers of two and their quarters, pages. */
static uint64_t boundary(struct assay_mutator *m, uint64_t size)
{
    uint64_t power = UINT64_C(1) << below(m, 21);
    switch (below(m, 8)) {
    case 0: return size + 1 + below(m, 16);
    case 1: return size > 16 ? size - 1 - below(m, 16) : 0;
    case 2: return size * 2;
    case 3: return size / 2;
    case 4: return power + below(m, 5) - 2;
    case 5: return power + power / 4 * below(m, 4) + below(m, 3) - 1;
    case 6: return ((size >> 12) + below(m, 2)) * 4096 + below(m, 33) - 16;
    default: return ((size >> 4) + below(m, 3)) * 16 + below(m, 3) - 1;
    }
}

static void edit_size(struct assay_mutator *m, struct assay_event *op)
{
    const struct assay_program *other = m->parents[below(m, 2)];
    const struct assay_event *model = &other->ops[below(m, other->count)];
    bool bears = assay_event_bears(model);
    op->size = bears && chance(m, 256) ? model->size : boundary(m, op->size);
    if (op->size > m->limits.max_object_bytes && op->size < ASSAY_SIZE_REFUSED)
        op->size = m->limits.max_object_bytes - below(m, 17);
}

static void edit_kind(struct assay_mutator *m, struct assay_event *op)
{
    static const uint8_t allocating[] = {
        ASSAY_OP_MALLOC,         ASSAY_OP_MALLOC,   ASSAY_OP_CALLOC, ASSAY_OP_ALIGNED_ALLOC,
        ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_MEMALIGN, ASSAY_OP_VALLOC, ASSAY_OP_PVALLOC};
    static const uint8_t using[] = {ASSAY_OP_FREE,       ASSAY_OP_FREE,       ASSAY_OP_REALLOC,
                                    ASSAY_OP_REALLOC,    ASSAY_OP_WRITE,      ASSAY_OP_CHECK,
                                    ASSAY_OP_FREE_SIZED, ASSAY_OP_USABLE_SIZE};
    bool allocates = assay_op_info(op->kind)->op_class == ASSAY_CLASS_ALLOCATE;
    op->kind = allocates ? allocating[below(m, sizeof allocating)] : using[below(m, sizeof using)];
    if (op->kind == ASSAY_OP_REALLOC && !(m->limits.missing_apis >> ASSAY_OP_REZALLOC & 1) &&
        chance(m, 256))
        op->kind = ASSAY_OP_REZALLOC;
    op->arg = op->kind == ASSAY_OP_CALLOC ? 1 : allocates ? UINT64_C(8) << below(m, 10) : 0;
}

/* The op so often, on ever other objects of the same size, or on what it bore. */
static void put_times(struct assay_mutator *m, const struct assay_event *op, size_t index,
                      unsigned times)
{
    bool resizes = assay_op_info(op->kind)->op_class == ASSAY_CLASS_RESIZE;
    for (unsigned i = 0; i < times; i++) {
        uint64_t bytes = index < m->live.count ? m->live.objects[index].bytes : 0;
        put(m, op, index);
        if (i + 1 < times)
            index = resizes && m->live.count ? m->live.count - 1 : alike(m, bytes);
    }
}

/* A parent's op as a proposal for the mutant, perhaps with a change. */
static void inherit(struct assay_mutator *m, unsigned parent, const struct assay_event *from)
{
    struct assay_event op = {
        .kind = from->kind, .place = from->place, .size = from->size, .arg = from->arg};
    size_t index = from->object ? find_operand(m, parent, from->object) : 0;
    unsigned times = 1;
    if (from->flags & ASSAY_FLAG_MISUSE)
        return;
    if (from->kind == ASSAY_OP_CHECK && from->object == 0)
        op.place = ASSAY_PLACE_NULL; /* how a proposal says 'all' */
    if (m->edit_in_1024 && chance(m, m->edit_in_1024)) {
        switch ((enum edit)below(m, EDITS)) {
        case EDIT_SIZE: edit_size(m, &op); break;
        case EDIT_KIND: edit_kind(m, &op); break;
        case EDIT_OPERAND:
            op.place = ASSAY_PLACE_OBJECT;
            index = any_live(m);
            break;
        case EDIT_DROP: times = 0; break;
        case EDIT_BURST: times = 2 + (unsigned)below(m, UINT64_C(1) << below(m, 8)); break;
        default:
            put(m, &(struct assay_event){.kind = ASSAY_OP_FREE}, any_live(m));
            index = from->object ? find_operand(m, parent, from->object) : index;
            break;
        }
    }
    put_times(m, &op, index, times);
    if (from->born && times && m->count && m->ops[m->count - 1].born)
        m->heirs[parent][from->born] = m->ops[m->count - 1].born;
}

static void inherit_piece(struct assay_mutator *m, unsigned parent, size_t from, size_t to)
{
    for (size_t i = from; i < to && m->count < ASSAY_PROGRAM_MAX_OPS; i++)
        inherit(m, parent, &m->parents[parent]->ops[i]);
}

/* A stretch of the program, short ones as often as long ones. */
static void draw_piece(struct assay_mutator *m, size_t count, size_t *ret_from, size_t *ret_to)
{
    size_t most = (size_t)below(m, UINT64_C(2) << below(m, 12));
    *ret_from = (size_t)below(m, count);
    *ret_to = count - *ret_from < most + 1 ? count : *ret_from + most + 1;
}

static void inherit_shape(struct assay_mutator *m, enum shape shape)
{
    size_t n = m->parents[0]->count, from, to, other_from, other_to;
    draw_piece(m, n, &from, &to);
    draw_piece(m, m->parents[1]->count, &other_from, &other_to);
    switch (shape) {
    case SHAPE_SPLICE:
        inherit_piece(m, 0, 0, to);
        inherit_piece(m, 1, other_from, m->parents[1]->count);
        break;
    case SHAPE_INSERT:
        inherit_piece(m, 0, 0, from);
        inherit_piece(m, 1, other_from, other_to);
        inherit_piece(m, 0, from, n);
        break;
    case SHAPE_REPLACE:
        inherit_piece(m, 0, 0, from);
        inherit_piece(m, 1, other_from, other_to);
        inherit_piece(m, 0, to, n);
        break;
    case SHAPE_LEAVE_OUT:
        inherit_piece(m, 0, 0, from);
        inherit_piece(m, 0, to, n);
        break;
    case SHAPE_REPEAT:
        inherit_piece(m, 0, 0, to);
        for (uint64_t times = 1 + below(m, UINT64_C(2) << below(m, 7)); times > 0; times--)
            inherit_piece(m, 0, from, to);
        inherit_piece(m, 0, to, n);
        break;
    default: inherit_piece(m, 0, 0, n); break;
    }
}

static void end_in_misuse(struct assay_mutator *m)
{
    const struct assay_event release = {.kind = ASSAY_OP_FREE};
    const struct assay_event again = {.kind = ASSAY_OP_FREE, .flags = ASSAY_FLAG_MISUSE};
    if (m->count + 2 > ASSAY_PROGRAM_MAX_OPS || m->live.count == 0)
        return;
    put(m, &release, m->live.count - 1);
    put(m, &again, 0);
}

void assay_mutate_init(struct assay_mutator *mutator, const struct assay_program_limits *limits)
{
    memset(mutator, 0, sizeof *mutator);
    mutator->limits = *limits;
    mutator->live.objects = mutator->objects;
    mutator->live.capacity = ASSAY_PROGRAM_MAX_OPS + 1;
}

static void start(struct assay_mutator *m, const struct assay_program *a,
                  const struct assay_program *b, struct assay_event *ops)
{
    m->live.count = 0;
    m->live.bytes = 0;
    m->live.born = m->live.last_free = 0;
    memset(m->heirs, 0, sizeof m->heirs);
    m->parents[0] = a;
    m->parents[1] = b;
    m->ops = ops;
    m->count = 0;
}

size_t assay_mutate(struct assay_mutator *m, uint64_t seed, uint64_t index,
                    const struct assay_program *a, const struct assay_program *b,
                    struct assay_event *ops)
{
    static const uint16_t edits[] = {0, 4, 32, 128};
    assay_random_seed(&m->random, ~seed ^ (index * UINT64_C(0x9e3779b97f4a7c15)));
    start(m, a, b, ops);
    enum shape shape = (enum shape)below(m, SHAPES);
    m->edit_in_1024 = edits[shape == SHAPE_WHOLE ? 1 + below(m, 3) : below(m, 4)];
    if (a->count && b->count)
        inherit_shape(m, shape);
    while (m->count < ASSAY_PROGRAM_MIN_OPS) {
        size_t before = m->count;
        if (a->count)
            inherit_piece(m, 0, 0, a->count);
        if (m->count == before)
            put(m, &(struct assay_event){.kind = ASSAY_OP_MALLOC, .size = 1 + below(m, 64)}, 0);
    }
    if (m->limits.misuse && chance(m, 32))
        end_in_misuse(m);
    return m->count;
}

size_t assay_mutate_copy(struct assay_mutator *m, const struct assay_program *program,
                         struct assay_event *ops)
{
    static const struct assay_event nothing = {.kind = ASSAY_OP_CHECK, .place = ASSAY_PLACE_NULL};
    start(m, program, program, ops);
    m->edit_in_1024 = 0;
    for (size_t i = 0; i < program->count; i++) {
        if (program->ops[i].flags & ASSAY_FLAG_MISUSE)
            put(m, &program->ops[i], 0);
        else
            inherit(m, 0, &program->ops[i]);
    }
    if (m->count == 0)
        put(m, &nothing, 0);
    return m->count;
}

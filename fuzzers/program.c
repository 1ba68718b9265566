/* The layout of an input. From the end backwards: mark, two bytes of switched-off kinds, one byte
 * that says whether large objects occur, four bytes of seed for what the records leave short. From
 * the front: records of 4 bytes {kind, operand, detail, detail}, each followed by the varints that
 * its escapes ask for. */
#include "fuzzers/program.h"

#include <string.h>

#include "fuzzers/live.h"
#include "traces/core/random.h"

#define TAIL_BYTES 8
#define MARK_EXACT 0xA5

enum { LARGE_ONE_IN = 8, USUAL_BYTES_MAX = 16 << 10 };

/* Operand byte: 0..125 from the newest, 126..252 spread over all, then the escapes. */
#define OPERAND_NEWEST 126
#define OPERAND_MISUSE 253
#define OPERAND_NULL   254
#define OPERAND_EXACT  255

static const uint8_t kinds[256] = {
    [0 ... 50] = ASSAY_OP_MALLOC,
    [51] = ASSAY_OP_REZALLOC,
    [52 ... 115] = ASSAY_OP_FREE,
    [116 ... 135] = ASSAY_OP_CALLOC,
    [136 ... 171] = ASSAY_OP_REALLOC,
    [172 ... 181] = ASSAY_OP_REALLOCARRAY,
    [182 ... 191] = ASSAY_OP_ALIGNED_ALLOC,
    [192 ... 203] = ASSAY_OP_POSIX_MEMALIGN,
    [204 ... 211] = ASSAY_OP_MEMALIGN,
    [212 ... 214] = ASSAY_OP_VALLOC,
    [215 ... 217] = ASSAY_OP_PVALLOC,
    [218 ... 225] = ASSAY_OP_FREE_SIZED,
    [226 ... 229] = ASSAY_OP_FREE_ALIGNED_SIZED,
    [230 ... 235] = ASSAY_OP_USABLE_SIZE,
    [236 ... 238] = ASSAY_OP_OBJECT_SIZE,
    [239] = ASSAY_OP_GOOD_SIZE,
    [240 ... 244] = ASSAY_OP_WRITE,
    [245] = ASSAY_OP_STATISTICS,
    [246 ... 249] = ASSAY_OP_READ,
    [250 ... 253] = ASSAY_OP_CHECK,
    [254] = ASSAY_OP_HEAP_WALK,
    [255] = ASSAY_OP_TRIM,
};

/* What a set bit in the tail's two bytes switches off. */
static const uint8_t switchable[16] = {
    ASSAY_OP_CALLOC,         ASSAY_OP_REALLOC,
    ASSAY_OP_REALLOCARRAY,   ASSAY_OP_ALIGNED_ALLOC,
    ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_MEMALIGN,
    ASSAY_OP_VALLOC,         ASSAY_OP_PVALLOC,
    ASSAY_OP_FREE_SIZED,     ASSAY_OP_FREE_ALIGNED_SIZED,
    ASSAY_OP_USABLE_SIZE,    ASSAY_OP_OBJECT_SIZE,
    ASSAY_OP_WRITE,          ASSAY_OP_READ,
    ASSAY_OP_CHECK,          ASSAY_OP_TRIM,
};

static const uint16_t bad_alignments[] = {0, 1,  2,  3,  4,  5,   6,    7,
                                          9, 10, 12, 24, 48, 100, 1000, 4095};

void assay_program_limits_default(struct assay_program_limits *limits)
{
    *limits = (struct assay_program_limits){
        .max_object_bytes = UINT64_C(1) << 20,
        .max_live_bytes = UINT64_C(1) << 26,
        .max_live_objects = 2048,
    };
}

/* Bytes from a front to an end, then from a seed. */
struct source {
    const uint8_t *data;
    size_t at, end;
    struct assay_random random;
};

static uint8_t take_byte(struct source *source)
{
    return source->at < source->end ? source->data[source->at++]
                                    : (uint8_t)(assay_random_next(&source->random) >> 56);
}

static uint64_t take_varint(struct source *source)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = take_byte(source);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            break;
    }
    return value;
}

static uint64_t size_of_code(struct source *source, unsigned code)
{
    uint64_t m = code & 2047;
    switch (code >> 11) {
    case 0 ... 9: return m % 129;
    case 10 ... 17: return m;
    case 18 ... 21: return m * 8;
    case 22:
    case 23: return m * 64 + 1;
    case 24: return m * 512;
    case 25: return m * 32768;
    case 26:
    case 27: return (UINT64_C(1) << (m & 15)) + (m >> 4) % 65 - 32;
    case 28: return (m >> 3) * 64 + (m & 7) - 4;
    case 29: return UINT64_MAX - 2 * m;
    case 30: return (uint64_t)INT64_MAX + m - 1023;
    default: return take_varint(source);
    }
}

static uint64_t count_of_code(struct source *source, unsigned code, uint64_t size)
{
    if (code < 128)
        return code;
    if (code < 192)
        return UINT64_C(1) << (code - 128);
    if (code < 254)
        return UINT64_MAX / (size ? size : 1) + code - 222;
    return code == 254 ? 0 : take_varint(source);
}

static uint64_t alignment_of_code(struct source *source, unsigned code)
{
    if (code < 128)
        return UINT64_C(1) << (code % 17);
    if (code < 192)
        return UINT64_C(1) << (code - 128);
    if (code < 255)
        return bad_alignments[code % 16];
    return take_varint(source);
}

static size_t index_of_code(struct source *source, unsigned code, size_t count)
{
    if (code == OPERAND_EXACT)
        return (size_t)take_varint(source);
    if (count == 0)
        return 0;
    if (code < OPERAND_NEWEST)
        return count - 1 - code % count;
    return (code - OPERAND_NEWEST) * count / (256 - OPERAND_NEWEST);
}

static bool is_aligned(unsigned kind)
{
    return kind == ASSAY_OP_ALIGNED_ALLOC || kind == ASSAY_OP_POSIX_MEMALIGN ||
           kind == ASSAY_OP_MEMALIGN;
}

static bool is_access(unsigned kind)
{
    return kind == ASSAY_OP_READ || kind == ASSAY_OP_WRITE;
}

static bool has_size(unsigned kind)
{
    enum assay_op_class op_class = assay_op_info(kind)->op_class;
    return op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE ||
           kind == ASSAY_OP_GOOD_SIZE;
}

static bool is_sized_release(unsigned kind)
{
    return kind == ASSAY_OP_FREE_SIZED || kind == ASSAY_OP_FREE_ALIGNED_SIZED;
}

/* Reads one record as a proposal; returns the operand's place in the list. */
static size_t take_proposal(struct source *source, const struct assay_live *live,
                            struct assay_event *op)
{
    uint8_t kind = kinds[take_byte(source)];
    unsigned operand = take_byte(source);
    unsigned low = take_byte(source), high = take_byte(source);
    enum assay_op_class op_class = assay_op_info(kind)->op_class;
    size_t index = 0;

    *op = (struct assay_event){.kind = kind};
    if (kind == ASSAY_OP_STATISTICS)
        op->arg = operand & 1;
    if (op_class != ASSAY_CLASS_ALLOCATE && !assay_op_of_heap(kind)) {
        index = index_of_code(source, operand, live->count);
        if (operand == OPERAND_NULL)
            op->place = ASSAY_PLACE_NULL;
        if (operand == OPERAND_MISUSE && kind == ASSAY_OP_FREE)
            op->flags = ASSAY_FLAG_MISUSE;
    }
    if (is_access(kind)) {
        if (low == 255 && high == 255) {
            op->arg = take_varint(source);
            op->size = take_varint(source);
        } else {
            uint64_t bytes = live->count ? live->objects[index % live->count].bytes : 0;
            op->arg = bytes * low >> 8;
            op->size = high + 1;
        }
    } else if (is_sized_release(kind) && op->place == ASSAY_PLACE_NULL) {
        op->size = size_of_code(source, low | high << 8);
        if (kind == ASSAY_OP_FREE_ALIGNED_SIZED)
            op->arg = alignment_of_code(source, take_byte(source));
    } else if (has_size(kind)) {
        op->size = size_of_code(source, low | high << 8);
        if (kind == ASSAY_OP_CALLOC)
            op->arg = count_of_code(source, operand, op->size);
        if (kind == ASSAY_OP_REALLOCARRAY)
            op->arg = count_of_code(source, take_byte(source), op->size);
        if (is_aligned(kind))
            op->arg = alignment_of_code(source, operand);
    }
    return index;
}

void assay_program_decode(const uint8_t *data, size_t size,
                          const struct assay_program_limits *limits, struct assay_program *program)
{
    struct assay_live_object objects[ASSAY_PROGRAM_MAX_OPS];
    struct assay_live live = {.objects = objects, .capacity = ASSAY_PROGRAM_MAX_OPS};
    struct assay_program_limits own = *limits;
    uint8_t tail[TAIL_BYTES] = {0};
    size_t tail_bytes = size < TAIL_BYTES ? size : TAIL_BYTES;
    struct source source = {.data = data, .end = size - tail_bytes};
    uint32_t seed;

    if (tail_bytes)
        memcpy(tail + TAIL_BYTES - tail_bytes, data + size - tail_bytes, tail_bytes);
    memcpy(&seed, tail, sizeof seed);
    assay_random_seed(&source.random, seed);
    bool exact = tail[7] == MARK_EXACT;
    for (unsigned bit = 0; bit < 16 && !exact; bit++)
        if ((tail[5] | tail[6] << 8) >> bit & 1)
            own.missing_apis |= UINT64_C(1) << switchable[bit];
    /* large objects cost page faults and system calls, a hundred times a small one: not in every
     * program */
    if ((size < TAIL_BYTES || tail[4] % LARGE_ONE_IN) && own.max_object_bytes > USUAL_BYTES_MAX)
        own.max_object_bytes = USUAL_BYTES_MAX;
    if (own.max_live_objects > ASSAY_PROGRAM_MAX_OPS)
        own.max_live_objects = ASSAY_PROGRAM_MAX_OPS;

    program->count = 0;
    while (program->count < ASSAY_PROGRAM_MAX_OPS &&
           (source.end - source.at >= 4 || (!exact && program->count < ASSAY_PROGRAM_MIN_OPS))) {
        struct assay_event *op = &program->ops[program->count++];
        size_t index = take_proposal(&source, &live, op);
        index = assay_live_fit(&live, &own, op, index);
        assay_live_apply(&live, op, index);
        if (op->flags & ASSAY_FLAG_MISUSE)
            break;
    }
    program->objects = live.born;
}

struct target {
    uint8_t *data;
    size_t at, capacity;
    bool full;
};

static void put_byte(struct target *target, unsigned byte)
{
    if (target->at < target->capacity)
        target->data[target->at++] = (uint8_t)byte;
    else
        target->full = true;
}

static void put_varint(struct target *target, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(target, (unsigned)(value & 0x7f) | 0x80);
    put_byte(target, (unsigned)value);
}

static unsigned code_of_size(uint64_t size)
{
    if (size < 129)
        return (unsigned)size;
    if (size < 2048)
        return (unsigned)(10 << 11 | size);
    if (size < 16384 && size % 8 == 0)
        return (unsigned)(18 << 11 | size / 8);
    return 31 << 11;
}

static unsigned code_of_alignment(uint64_t alignment)
{
    return alignment && (alignment & (alignment - 1)) == 0
               ? (unsigned)__builtin_ctzll(alignment) + 128
               : 255;
}

enum { NO_CODE = 256 };

/* The first byte of a record, by kind. */
static void make_codes(uint16_t codes[ASSAY_OP_COUNT])
{
    for (unsigned kind = 0; kind < ASSAY_OP_COUNT; kind++)
        codes[kind] = NO_CODE;
    for (unsigned code = 256; code-- > 0;)
        codes[kinds[code]] = (uint16_t)code;
}

/* Writes the record that decodes to op, whose operand stands at index. */
static void put_record(struct target *target, unsigned code, const struct assay_live *live,
                       const struct assay_event *op, size_t index)
{
    enum assay_op_class op_class = assay_op_info(op->kind)->op_class;
    bool nothing = is_sized_release(op->kind) && op->object == 0; /* which tells no size */
    bool sized = has_size(op->kind) || nothing;
    unsigned count = op->arg < 128 ? (unsigned)op->arg : 255;
    unsigned operand = 0;
    unsigned detail = sized ? code_of_size(op->size) : is_access(op->kind) ? 0xffff : 0;

    if (op->kind == ASSAY_OP_CALLOC)
        operand = count;
    else if (is_aligned(op->kind))
        operand = code_of_alignment(op->arg);
    else if (op->kind == ASSAY_OP_STATISTICS)
        operand = (unsigned)op->arg;
    else if (op_class == ASSAY_CLASS_ALLOCATE || assay_op_of_heap(op->kind))
        operand = 0;
    else if (op->flags & ASSAY_FLAG_MISUSE)
        operand = OPERAND_MISUSE;
    else if (op->object == 0)
        operand = OPERAND_NULL;
    else
        operand = live->count - 1 - index < OPERAND_NEWEST ? (unsigned)(live->count - 1 - index)
                                                           : OPERAND_EXACT;
    put_byte(target, code);
    put_byte(target, operand);
    put_byte(target, detail & 0xff);
    put_byte(target, detail >> 8);
    if (op->object && operand == OPERAND_EXACT)
        put_varint(target, index);
    if (is_access(op->kind)) {
        put_varint(target, op->arg);
        put_varint(target, op->size);
    }
    if (sized && detail >> 11 == 31)
        put_varint(target, op->size);
    if (op->kind == ASSAY_OP_REALLOCARRAY)
        put_byte(target, count);
    if (op->kind == ASSAY_OP_FREE_ALIGNED_SIZED && nothing)
        put_byte(target, code_of_alignment(op->arg));
    if ((op->kind == ASSAY_OP_REALLOCARRAY && count == 255) ||
        (op_class == ASSAY_CLASS_ALLOCATE && operand == 255))
        put_varint(target, op->arg);
}

size_t assay_program_encode(const struct assay_program *program,
                            const struct assay_program_limits *limits, uint8_t *data,
                            size_t capacity)
{
    struct assay_live_object objects[ASSAY_PROGRAM_MAX_OPS];
    struct assay_live live = {.objects = objects, .capacity = ASSAY_PROGRAM_MAX_OPS};
    struct target target = {.data = data, .capacity = capacity};
    uint16_t codes[ASSAY_OP_COUNT], places[ASSAY_PROGRAM_MAX_OPS + 1] = {0};

    make_codes(codes);
    if (program->count > ASSAY_PROGRAM_MAX_OPS)
        return 0;
    for (size_t i = 0; i < program->count; i++) {
        struct assay_event asked = {0};
        const struct assay_event *op = &asked;
        memcpy(&asked, &program->ops[i], offsetof(struct assay_event, address));
        asked.flags &= ASSAY_FLAG_MISUSE;
        bool misuse = asked.flags != 0;
        unsigned code = op->kind < ASSAY_OP_COUNT ? codes[op->kind] : NO_CODE;
        size_t index = 0;
        struct assay_event fitted = asked;

        if (code == NO_CODE || op->object > ASSAY_PROGRAM_MAX_OPS ||
            (misuse && i + 1 != program->count))
            return 0;
        if (op->object && !misuse)
            index = assay_live_find(&live, places, op->object);
        if (index == SIZE_MAX)
            return 0;
        if (op->kind == ASSAY_OP_CHECK && op->object == 0)
            fitted.place = ASSAY_PLACE_NULL; /* how a record says 'all' */
        assay_live_fit(&live, limits, &fitted, index);
        if (memcmp(&fitted, op, sizeof fitted) != 0)
            return 0;
        put_record(&target, code, &live, op, index);
        assay_live_apply(&live, op, index);
        assay_live_place(&live, places, index);
    }
    for (unsigned i = 0; i < TAIL_BYTES - 1; i++)
        put_byte(&target, 0);
    put_byte(&target, program->count < ASSAY_PROGRAM_MIN_OPS ? MARK_EXACT : 0);
    return target.full ? 0 : target.at;
}

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "traces/core/hash.h"
#include "traces/trace_block.h"
#include "traces/trace_block_model.h"

#define HEADS_MAX TRACE_BLOCK_EVENTS

struct head_slot {
    struct trace_head head;
    uint32_t row;
    uint32_t generation; /* of the block that it belongs to */
};

struct block_encoder {
    struct block_model model;
    struct column columns[COLUMN_COUNT];
    struct trace_head *heads; /* rows in order of appearance */
    struct head_slot *head_slots;
    uint32_t heads_n, head_mask, generation;
    struct column_counter *counter;
    ZSTD_CCtx *zstd;
    uint8_t *scratch, *body, *payload;
    size_t scratch_room, body_room, payload_room;
    int level;
};

struct block_encoder *block_encoder_create(uint32_t time_unit_ns, int level)
{
    struct block_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return NULL;
    encoder->model.time_unit_ns = time_unit_ns;
    encoder->model.next_born = 1;
    encoder->level = level;
    encoder->counter = column_counter_create();
    encoder->zstd = ZSTD_createCCtx();
    encoder->head_mask = HEADS_MAX * 2 - 1;
    encoder->head_slots = calloc(HEADS_MAX * 2, sizeof *encoder->head_slots);
    encoder->heads = calloc(HEADS_MAX, sizeof *encoder->heads);
    if (!encoder->counter || !encoder->zstd || !encoder->head_slots || !encoder->heads) {
        block_encoder_free(encoder);
        return NULL;
    }
    return encoder;
}

void block_encoder_free(struct block_encoder *encoder)
{
    if (!encoder)
        return;
    assay_object_map_clear(&encoder->model.births);
    for (int i = 0; i < COLUMN_COUNT; i++)
        free(encoder->columns[i].numbers);
    column_counter_free(encoder->counter);
    ZSTD_freeCCtx(encoder->zstd);
    free(encoder->head_slots);
    free(encoder->heads);
    free(encoder->scratch);
    free(encoder->body);
    free(encoder->payload);
    free(encoder);
}

static void push(struct block_encoder *encoder, enum trace_column column, uint64_t number)
{
    column_push(&encoder->columns[column], number);
}

static uint64_t pack_head(const struct trace_head *head)
{
    return (uint64_t)head->kind << 56 | (uint64_t)head->family << 48 | (uint64_t)head->place << 40 |
           (uint64_t)head->flags << 32 | (uint64_t)head->begin_flags << 24;
}

static uint32_t head_row(struct block_encoder *encoder, const struct trace_head *head)
{
    size_t i = assay_mix64(pack_head(head) ^ head->mask) & encoder->head_mask;
    for (;; i = (i + 1) & encoder->head_mask) {
        struct head_slot *slot = &encoder->head_slots[i];
        if (slot->generation != encoder->generation) {
            *slot = (struct head_slot){*head, encoder->heads_n, encoder->generation};
            encoder->heads[encoder->heads_n] = *head;
            return encoder->heads_n++;
        }
        if (slot->head.mask == head->mask && pack_head(&slot->head) == pack_head(head))
            return slot->row;
    }
}

static void put_time(struct block_encoder *encoder, uint64_t time)
{
    uint64_t ticks = time / encoder->model.time_unit_ns;
    push(encoder, COLUMN_TIME, assay_zigzag(ticks - encoder->model.ticks));
    encoder->model.ticks = ticks;
}

/* Is begin what a reader makes of end when told only its flags, its time and whether it has its
 * operand's address? */
static bool pairs(const struct block_model *model, const struct assay_event *begin,
                  const struct assay_event *end)
{
    if (assay_op_info(end->kind)->op_class != ASSAY_CLASS_RESIZE ||
        !(begin->flags & ASSAY_FLAG_BEGIN) || !(end->flags & ASSAY_FLAG_END))
        return false;
    struct assay_event expected = *end;
    expected.flags = begin->flags;
    expected.time = begin->time;
    expected.born = 0;
    expected.usable_extra = 0;
    expected.error = expected.signal = expected.checked = expected.failed = 0;
    expected.wrong_at = 0;
    expected.address = begin->address;
    return (begin->address == 0 || begin->address == block_operand_address(model, begin)) &&
           (begin->time != 0) == (end->time != 0) && memcmp(&expected, begin, sizeof expected) == 0;
}

static uint32_t put_address(struct block_encoder *encoder, const struct assay_event *event)
{
    struct block_model *model = &encoder->model;
    if (event->address == 0)
        return 0;
    if (block_bears(event)) {
        uint64_t code =
            predict_encode(&model->predict, block_context_of(event), block_units_of(event),
                           event->object ? block_operand_address(model, event) : 0, event->address);
        push(encoder, COLUMN_ADDRESS, code);
        if (code == PREDICT_RAW)
            push(encoder, COLUMN_VALUE, event->address);
        return MASK_ADDRESS;
    }
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    if ((op_class == ASSAY_CLASS_RELEASE || op_class == ASSAY_CLASS_RESIZE) &&
        event->address == block_operand_address(model, event))
        return MASK_OPERAND_ADDRESS;
    push(encoder, COLUMN_VALUE, event->address);
    return MASK_VALUE;
}

static uint32_t put_usable(struct block_encoder *encoder, const struct assay_event *event)
{
    uint64_t bytes;
    int32_t expected;
    if (event->usable_extra == 0 && !(event->flags & ASSAY_FLAG_USABLE))
        return 0;
    assay_event_bytes(event, &bytes);
    if (block_usable_expected(&encoder->model, bytes, &expected) && expected == event->usable_extra)
        return MASK_USABLE_SAME;
    push(encoder, COLUMN_USABLE, assay_zigzag((uint64_t)(int64_t)event->usable_extra));
    block_usable_learn(&encoder->model, bytes, event->usable_extra);
    return MASK_USABLE;
}

static uint32_t put_rare(struct block_encoder *encoder, enum trace_column column, uint64_t number,
                         uint32_t mask)
{
    if (number == 0)
        return 0;
    push(encoder, column, number);
    return mask;
}

/* The order of the fields is that of take_event: what comes later may lean on what came before. */
static int put_event(struct block_encoder *encoder, const struct assay_event *event,
                     const struct assay_event *begin)
{
    struct block_model *model = &encoder->model;
    struct trace_head head = {event->kind, event->family, event->place, event->flags, 0, 0};
    if (block_context_of(event) != model->context) {
        push(encoder, COLUMN_CONTEXT, block_context_of(event));
        model->context = block_context_of(event);
        head.mask |= MASK_CONTEXT;
    }
    if (event->object) {
        push(encoder, COLUMN_OBJECT,
             assay_zigzag((uint64_t)model->next_born - 1 - (uint64_t)event->object));
        head.mask |= MASK_OBJECT;
    }
    if (event->born != 0 && event->born == model->next_born)
        head.mask |= MASK_BORN_NEXT;
    else
        head.mask |= put_rare(encoder, COLUMN_BORN, event->born, MASK_BORN);
    head.mask |= put_rare(encoder, COLUMN_SIZE, event->size, MASK_SIZE);
    head.mask |= put_rare(encoder, COLUMN_ARG, event->arg, MASK_ARG);
    if (begin) {
        head.mask |= MASK_PAIR | (begin->address ? MASK_BEGIN_ADDRESS : 0);
        head.begin_flags = begin->flags;
        if (begin->time)
            put_time(encoder, begin->time);
    }
    if (event->time) {
        put_time(encoder, event->time);
        head.mask |= MASK_TIME;
    }
    head.mask |= put_address(encoder, event);
    head.mask |= put_rare(encoder, COLUMN_SITE, event->site, MASK_SITE);
    head.mask |= put_usable(encoder, event);
    head.mask |= put_rare(encoder, COLUMN_ERROR, event->error, MASK_ERROR);
    head.mask |= put_rare(encoder, COLUMN_SIGNAL, event->signal, MASK_SIGNAL);
    head.mask |= put_rare(encoder, COLUMN_FACTS,
                          (uint64_t)event->checked << 8 | (uint64_t)event->failed, MASK_FACTS);
    head.mask |= put_rare(encoder, COLUMN_WRONG_AT, event->wrong_at, MASK_WRONG_AT);
    push(encoder, COLUMN_HEAD, head_row(encoder, &head));
    return block_model_after(model, event);
}

/* Appends one stream to the body, packed if that is shorter. */
static int add_stream(struct block_encoder *encoder, struct block_directory *directory,
                      size_t *body_bytes, unsigned id, const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return 0;
    size_t bound = ZSTD_compressBound(n);
    int code = block_reserve(&encoder->body, &encoder->body_room, *body_bytes + bound);
    if (code)
        return code;
    uint8_t *at = encoder->body + *body_bytes;
    ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_compressionLevel, encoder->level);
    size_t stored = ZSTD_compress2(encoder->zstd, at, bound, bytes, n);
    if (ZSTD_isError(stored))
        return ASSAY_E_MEMORY;
    bool packed = stored < n;
    if (!packed) {
        memcpy(at, bytes, n);
        stored = n;
    }
    directory->rows[directory->n].id = id;
    directory->rows[directory->n].raw = n;
    directory->rows[directory->n].stored = stored;
    directory->rows[directory->n++].packed = packed;
    *body_bytes += stored;
    return 0;
}

static int add_columns(struct block_encoder *encoder, struct block_directory *directory,
                       size_t *body_bytes)
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        struct column *column = &encoder->columns[i];
        if (column->n == 0)
            continue;
        int code = block_reserve(&encoder->scratch, &encoder->scratch_room,
                                 column->n + column_values_max(column->n));
        if (code)
            return code;
        uint8_t *values = encoder->scratch + column->n;
        long values_bytes = column_encode(encoder->counter, column, encoder->scratch, values);
        if (values_bytes < 0)
            return (int)values_bytes;
        code = add_stream(encoder, directory, body_bytes, STREAM_TOKENS(i), encoder->scratch,
                          column->n);
        if (!code)
            code = add_stream(encoder, directory, body_bytes, STREAM_VALUES(i), values,
                              (size_t)values_bytes);
        if (code)
            return code;
    }
    return 0;
}

static int add_heads(struct block_encoder *encoder, struct block_directory *directory,
                     size_t *body_bytes)
{
    size_t room = (size_t)encoder->heads_n * (5 + ASSAY_VARINT_MAX) + ASSAY_VARINT_MAX;
    int code = block_reserve(&encoder->scratch, &encoder->scratch_room, room);
    if (code)
        return code;
    struct assay_bytes_out out = {encoder->scratch, encoder->scratch + room, false};
    for (uint32_t i = 0; i < encoder->heads_n; i++) {
        const struct trace_head *head = &encoder->heads[i];
        const uint8_t bytes[5] = {head->kind, head->family, head->place, head->flags,
                                  head->begin_flags};
        assay_bytes_put(&out, bytes, sizeof bytes);
        assay_bytes_put_varint(&out, head->mask);
    }
    return add_stream(encoder, directory, body_bytes, STREAM_HEADS, encoder->scratch,
                      (size_t)(out.at - encoder->scratch));
}

static long join(struct block_encoder *encoder, uint32_t base_born,
                 const struct block_directory *directory, size_t body_bytes,
                 const uint8_t **ret_payload)
{
    size_t room = 32 + (size_t)directory->n * 4 * ASSAY_VARINT_MAX + body_bytes;
    int code = block_reserve(&encoder->payload, &encoder->payload_room, room);
    if (code)
        return code;
    struct assay_bytes_out out = {encoder->payload, encoder->payload + room, false};
    assay_bytes_put_varint(&out, base_born);
    assay_bytes_put_varint(&out, directory->n);
    for (unsigned i = 0; i < directory->n; i++) {
        assay_bytes_put_varint(&out, directory->rows[i].id);
        assay_bytes_put_varint(&out, directory->rows[i].packed);
        assay_bytes_put_varint(&out, directory->rows[i].raw);
        assay_bytes_put_varint(&out, directory->rows[i].stored);
    }
    assay_bytes_put(&out, encoder->body, body_bytes);
    ASSAY_CHECK(!out.full);
    *ret_payload = encoder->payload;
    return out.at - encoder->payload;
}

long block_encode(struct block_encoder *encoder, const struct assay_event *events, size_t n,
                  const uint8_t *sites, size_t sites_bytes, const uint8_t **ret_payload)
{
    struct block_directory directory = {.n = 0};
    size_t body_bytes = 0;
    uint32_t base_born = encoder->model.next_born;
    int code = 0;

    ASSAY_CHECK(n <= TRACE_BLOCK_EVENTS);
    block_model_start(&encoder->model, base_born);
    encoder->heads_n = 0;
    encoder->generation++;
    for (unsigned i = 0; i < COLUMN_COUNT && !code; i++) {
        encoder->columns[i].n = 0;
        code = column_reserve(&encoder->columns[i], n);
    }
    for (size_t i = 0; i < n && !code; i++) {
        bool pair = i + 1 < n && pairs(&encoder->model, &events[i], &events[i + 1]);
        code = put_event(encoder, &events[i + pair], pair ? &events[i] : NULL);
        i += pair;
    }
    if (!code)
        code = add_stream(encoder, &directory, &body_bytes, STREAM_SITES, sites, sites_bytes);
    if (!code)
        code = add_heads(encoder, &directory, &body_bytes);
    if (!code)
        code = add_columns(encoder, &directory, &body_bytes);
    return code ? code : join(encoder, base_born, &directory, body_bytes, ret_payload);
}

#include "traces/trace_block.h"

#include <stdlib.h>
#include <zstd.h>

#include "traces/core/hash.h"

#define STREAMS_MAX 128
#define HEADS_MAX   TRACE_BLOCK_EVENTS

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

struct block_decoder {
    struct block_model model;
    struct column_in columns[COLUMN_COUNT];
    struct trace_head *heads;
    size_t heads_room;
    ZSTD_DCtx *zstd;
    uint8_t *body;
    size_t body_room;
    uint64_t column_bytes[COLUMN_COUNT + 2]; /* stored bytes so far: columns, heads, sites */
};

static int reserve(uint8_t **buffer, size_t *room, size_t n)
{
    if (n <= *room)
        return 0;
    uint8_t *bigger = realloc(*buffer, n);
    if (!bigger)
        return ASSAY_E_MEMORY;
    *buffer = bigger;
    *room = n;
    return 0;
}

/* ---- the model, shared by both sides ---- */

static void model_start_block(struct block_model *model, uint32_t base_born)
{
    model->base_born = model->next_born = base_born;
    model->context = 0;
    model->ticks = 0;
    predict_reset(&model->predict);
    memset(model->usable, 0, sizeof model->usable);
}

static uint32_t context_of(const struct assay_event *event)
{
    return (uint32_t)event->process << 16 | event->thread;
}

static bool bears(const struct assay_event *event)
{
    return event->born != 0 && assay_event_bears(event);
}

/* The operand's address as it should be observed, 0 if that is not known. */
static uint64_t operand_address(const struct block_model *model, const struct assay_event *event)
{
    if (event->place == ASSAY_PLACE_WILD)
        return event->arg;
    if (event->place != ASSAY_PLACE_OBJECT)
        return 0;
    const struct assay_object_entry *entry = assay_object_map_get(&model->births, event->object);
    if (!entry)
        return 0;
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    bool offset = op_class == ASSAY_CLASS_RESIZE || op_class == ASSAY_CLASS_RELEASE;
    if (event->kind == ASSAY_OP_REALLOCARRAY || event->kind == ASSAY_OP_FREE_ALIGNED_SIZED)
        offset = false;
    return entry->value + (offset ? event->arg : 0);
}

static uint32_t units_of(const struct assay_event *event)
{
    uint64_t bytes;
    assay_event_bytes(event, &bytes);
    return predict_units(bytes);
}

static void model_forget(struct block_model *model, uint32_t context, uint32_t object,
                         uint64_t unless)
{
    const struct assay_object_entry *entry = assay_object_map_get(&model->births, object);
    if (!entry)
        return;
    if (object >= model->base_born && entry->value != unless)
        predict_freed(&model->predict, context, entry->extra, entry->value);
    assay_object_map_remove(&model->births, object);
}

/* To be called after each event, with all its fields known. */
static int model_after(struct block_model *model, const struct assay_event *event)
{
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    if (op_class == ASSAY_CLASS_RELEASE && event->object) {
        model_forget(model, context_of(event), event->object, 0);
    } else if (bears(event)) {
        model->next_born = event->born + 1;
        if (op_class == ASSAY_CLASS_RESIZE && event->object)
            model_forget(model, context_of(event), event->object, event->address);
        if (event->address != 0)
            return assay_object_map_put(&model->births, event->born, event->address,
                                        units_of(event));
    }
    return 0;
}

/* Slot for the usable size of objects of this size. */
static size_t usable_slot(uint64_t bytes)
{
    return (size_t)(assay_mix64(bytes) & (USABLE_SLOTS - 1));
}

static bool usable_expected(const struct block_model *model, uint64_t bytes, int32_t *ret_extra)
{
    size_t slot = usable_slot(bytes);
    *ret_extra = model->usable[slot].extra;
    return model->usable[slot].known && model->usable[slot].bytes == bytes;
}

static void usable_learn(struct block_model *model, uint64_t bytes, int32_t extra)
{
    size_t slot = usable_slot(bytes);
    model->usable[slot].bytes = bytes;
    model->usable[slot].extra = extra;
    model->usable[slot].known = true;
}

/* ---- encoding ---- */

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
    return (begin->address == 0 || begin->address == operand_address(model, begin)) &&
           (begin->time != 0) == (end->time != 0) && memcmp(&expected, begin, sizeof expected) == 0;
}

static uint32_t put_address(struct block_encoder *encoder, const struct assay_event *event)
{
    struct block_model *model = &encoder->model;
    if (event->address == 0)
        return 0;
    if (bears(event)) {
        uint64_t code =
            predict_encode(&model->predict, context_of(event), units_of(event),
                           event->object ? operand_address(model, event) : 0, event->address);
        push(encoder, COLUMN_ADDRESS, code);
        if (code == PREDICT_RAW)
            push(encoder, COLUMN_VALUE, event->address);
        return MASK_ADDRESS;
    }
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    if ((op_class == ASSAY_CLASS_RELEASE || op_class == ASSAY_CLASS_RESIZE) &&
        event->address == operand_address(model, event))
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
    if (usable_expected(&encoder->model, bytes, &expected) && expected == event->usable_extra)
        return MASK_USABLE_SAME;
    push(encoder, COLUMN_USABLE, assay_zigzag((uint64_t)(int64_t)event->usable_extra));
    usable_learn(&encoder->model, bytes, event->usable_extra);
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
    if (context_of(event) != model->context) {
        push(encoder, COLUMN_CONTEXT, context_of(event));
        model->context = context_of(event);
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
    return model_after(model, event);
}

struct directory {
    struct {
        unsigned id;
        size_t raw, stored;
        bool packed;
    } rows[STREAMS_MAX];
    unsigned n;
};

/* Appends one stream to the body, packed if that is shorter. */
static int add_stream(struct block_encoder *encoder, struct directory *directory,
                      size_t *body_bytes, unsigned id, const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return 0;
    size_t bound = ZSTD_compressBound(n);
    int code = reserve(&encoder->body, &encoder->body_room, *body_bytes + bound);
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

static int add_columns(struct block_encoder *encoder, struct directory *directory,
                       size_t *body_bytes)
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        struct column *column = &encoder->columns[i];
        if (column->n == 0)
            continue;
        int code = reserve(&encoder->scratch, &encoder->scratch_room,
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

static int add_heads(struct block_encoder *encoder, struct directory *directory, size_t *body_bytes)
{
    size_t room = (size_t)encoder->heads_n * (5 + ASSAY_VARINT_MAX) + ASSAY_VARINT_MAX;
    int code = reserve(&encoder->scratch, &encoder->scratch_room, room);
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
                 const struct directory *directory, size_t body_bytes, const uint8_t **ret_payload)
{
    size_t room = 32 + (size_t)directory->n * 4 * ASSAY_VARINT_MAX + body_bytes;
    int code = reserve(&encoder->payload, &encoder->payload_room, room);
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
    struct directory directory = {.n = 0};
    size_t body_bytes = 0;
    uint32_t base_born = encoder->model.next_born;
    int code = 0;

    ASSAY_CHECK(n <= TRACE_BLOCK_EVENTS);
    model_start_block(&encoder->model, base_born);
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

/* ---- decoding ---- */

struct block_decoder *block_decoder_create(uint32_t time_unit_ns)
{
    struct block_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    decoder->model.time_unit_ns = time_unit_ns;
    decoder->zstd = ZSTD_createDCtx();
    if (!decoder->zstd) {
        free(decoder);
        return NULL;
    }
    return decoder;
}

void block_decoder_free(struct block_decoder *decoder)
{
    if (!decoder)
        return;
    assay_object_map_clear(&decoder->model.births);
    ZSTD_freeDCtx(decoder->zstd);
    free(decoder->heads);
    free(decoder->body);
    free(decoder);
}

void block_decoder_reset(struct block_decoder *decoder)
{
    assay_object_map_clear(&decoder->model.births);
    memset(decoder->column_bytes, 0, sizeof decoder->column_bytes);
}

const uint64_t *block_decoder_column_bytes(const struct block_decoder *decoder)
{
    return decoder->column_bytes;
}

static uint64_t take(struct block_decoder *decoder, enum trace_column column)
{
    return column_next(&decoder->columns[column]);
}

static uint64_t take_if(struct block_decoder *decoder, const struct trace_head *head, uint32_t mask,
                        enum trace_column column)
{
    return head->mask & mask ? take(decoder, column) : 0;
}

static uint64_t take_time(struct block_decoder *decoder)
{
    struct block_model *model = &decoder->model;
    model->ticks += assay_unzigzag(take(decoder, COLUMN_TIME));
    return model->ticks * model->time_unit_ns;
}

static uint64_t take_address(struct block_decoder *decoder, const struct trace_head *head,
                             const struct assay_event *event)
{
    struct block_model *model = &decoder->model;
    if (head->mask & MASK_OPERAND_ADDRESS)
        return operand_address(model, event);
    if (!(head->mask & MASK_ADDRESS))
        return take_if(decoder, head, MASK_VALUE, COLUMN_VALUE);
    uint64_t code = take(decoder, COLUMN_ADDRESS);
    uint64_t raw = code == PREDICT_RAW ? take(decoder, COLUMN_VALUE) : 0;
    return predict_decode(&model->predict, context_of(event), units_of(event),
                          event->object ? operand_address(model, event) : 0, code, raw);
}

static int32_t take_usable(struct block_decoder *decoder, const struct trace_head *head,
                           const struct assay_event *event)
{
    uint64_t bytes;
    int32_t extra = 0;
    if (!(head->mask & (MASK_USABLE | MASK_USABLE_SAME)))
        return 0;
    assay_event_bytes(event, &bytes);
    if (head->mask & MASK_USABLE) {
        extra = (int32_t)assay_unzigzag(take(decoder, COLUMN_USABLE));
        usable_learn(&decoder->model, bytes, extra);
    } else {
        usable_expected(&decoder->model, bytes, &extra);
    }
    return extra;
}

/* Reads one head's worth of columns into *event, and into *begin if the head is of a pair. */
static int take_event(struct block_decoder *decoder, const struct trace_head *head,
                      struct assay_event *event, struct assay_event *begin)
{
    struct block_model *model = &decoder->model;
    uint64_t begin_time = 0;
    *event = (struct assay_event){
        .kind = head->kind, .family = head->family, .place = head->place, .flags = head->flags};
    if (head->mask & MASK_CONTEXT)
        model->context = (uint32_t)take(decoder, COLUMN_CONTEXT);
    event->thread = (uint16_t)model->context;
    event->process = (uint16_t)(model->context >> 16);
    if (head->mask & MASK_OBJECT)
        event->object = (uint32_t)((uint64_t)model->next_born - 1 -
                                   assay_unzigzag(take(decoder, COLUMN_OBJECT)));
    event->born = head->mask & MASK_BORN_NEXT
                      ? model->next_born
                      : (uint32_t)take_if(decoder, head, MASK_BORN, COLUMN_BORN);
    event->size = take_if(decoder, head, MASK_SIZE, COLUMN_SIZE);
    event->arg = take_if(decoder, head, MASK_ARG, COLUMN_ARG);
    if (head->mask & MASK_PAIR && head->mask & MASK_TIME)
        begin_time = take_time(decoder);
    if (head->mask & MASK_TIME)
        event->time = take_time(decoder);
    if (head->mask & MASK_PAIR) {
        *begin = *event;
        begin->flags = head->begin_flags;
        begin->born = 0;
        begin->time = begin_time;
        begin->address = head->mask & MASK_BEGIN_ADDRESS ? operand_address(model, event) : 0;
    }
    event->address = take_address(decoder, head, event);
    event->site = (uint32_t)take_if(decoder, head, MASK_SITE, COLUMN_SITE);
    if (head->mask & MASK_PAIR)
        begin->site = event->site;
    event->usable_extra = take_usable(decoder, head, event);
    event->error = (uint8_t)take_if(decoder, head, MASK_ERROR, COLUMN_ERROR);
    event->signal = (uint8_t)take_if(decoder, head, MASK_SIGNAL, COLUMN_SIGNAL);
    uint64_t facts = take_if(decoder, head, MASK_FACTS, COLUMN_FACTS);
    event->checked = (uint8_t)(facts >> 8);
    event->failed = (uint8_t)facts;
    event->wrong_at = (uint32_t)take_if(decoder, head, MASK_WRONG_AT, COLUMN_WRONG_AT);
    return model_after(model, event);
}

static int unpack(struct block_decoder *decoder, uint8_t *to, size_t raw, bool packed,
                  const uint8_t *stored, size_t stored_bytes)
{
    if (!packed) {
        if (stored_bytes != raw)
            return ASSAY_E_FORMAT;
        memcpy(to, stored, raw);
        return 0;
    }
    size_t got = ZSTD_decompressDCtx(decoder->zstd, to, raw, stored, stored_bytes);
    return ZSTD_isError(got) || got != raw ? ASSAY_E_FORMAT : 0;
}

struct streams {
    const uint8_t *at[STREAMS_MAX];
    size_t bytes[STREAMS_MAX];
};

/* Unpacks every stream whose number is known here; others belong to a later minor version. */
static int take_streams(struct block_decoder *decoder, struct assay_bytes_in *in, size_t events,
                        struct streams *streams)
{
    struct directory directory;
    size_t most = column_values_max(events) + 1; /* of one stream, the sites apart */
    size_t total = 0;
    uint64_t n = assay_bytes_get_varint(in);
    if (n > STREAMS_MAX)
        return ASSAY_E_FORMAT;
    for (directory.n = 0; directory.n < n; directory.n++) {
        uint64_t id = assay_bytes_get_varint(in), packed = assay_bytes_get_varint(in);
        uint64_t raw = assay_bytes_get_varint(in), stored = assay_bytes_get_varint(in);
        bool known = id < STREAM_TOKENS(COLUMN_COUNT) || id == STREAM_HEADS || id == STREAM_SITES;
        if (in->bad || packed > 1 || stored > TRACE_PAYLOAD_MAX ||
            (known && raw > (id == STREAM_SITES ? TRACE_PAYLOAD_MAX : most)))
            return ASSAY_E_FORMAT;
        directory.rows[directory.n].id = known ? (unsigned)id : STREAMS_MAX;
        directory.rows[directory.n].packed = packed;
        directory.rows[directory.n].raw = (size_t)raw;
        directory.rows[directory.n].stored = (size_t)stored;
        total += known ? (size_t)raw : 0;
    }
    if (total > TRACE_PAYLOAD_MAX * 2)
        return ASSAY_E_FORMAT;
    int code = reserve(&decoder->body, &decoder->body_room, total + 1);
    uint8_t *to = decoder->body;
    for (unsigned i = 0; i < directory.n && !code; i++) {
        unsigned id = directory.rows[i].id;
        const uint8_t *stored = assay_bytes_take(in, directory.rows[i].stored);
        if (!stored)
            return ASSAY_E_FORMAT;
        if (id == STREAMS_MAX)
            continue;
        if (streams->at[id])
            return ASSAY_E_FORMAT;
        decoder->column_bytes[id < STREAM_HEADS ? id / 2 : COLUMN_COUNT + id - STREAM_HEADS] +=
            directory.rows[i].stored;
        streams->at[id] = to;
        streams->bytes[id] = directory.rows[i].raw;
        code = unpack(decoder, to, directory.rows[i].raw, directory.rows[i].packed, stored,
                      directory.rows[i].stored);
        to += directory.rows[i].raw;
    }
    return code;
}

static int take_heads(struct block_decoder *decoder, const uint8_t *bytes, size_t n,
                      size_t *ret_heads)
{
    struct assay_bytes_in in = {bytes, bytes + n, false};
    size_t room = n / 6 + 1;
    *ret_heads = 0;
    if (room > decoder->heads_room) {
        struct trace_head *heads = realloc(decoder->heads, room * sizeof *heads);
        if (!heads)
            return ASSAY_E_MEMORY;
        decoder->heads = heads;
        decoder->heads_room = room;
    }
    while (in.at < in.end) {
        const uint8_t *fields = assay_bytes_take(&in, 5);
        uint64_t mask = assay_bytes_get_varint(&in);
        if (in.bad || !fields || mask > UINT32_MAX)
            return ASSAY_E_FORMAT;
        decoder->heads[(*ret_heads)++] = (struct trace_head){fields[0], fields[1], fields[2],
                                                             fields[3], fields[4], (uint32_t)mask};
    }
    return 0;
}

int block_decode(struct block_decoder *decoder, const uint8_t *payload, size_t payload_bytes,
                 struct assay_event *events, size_t n, struct assay_bytes_in *ret_sites)
{
    static const uint8_t nothing[1];
    struct assay_bytes_in in = {payload, payload + payload_bytes, false};
    struct streams streams = {{NULL}, {0}};
    size_t heads = 0;
    uint64_t base_born = assay_bytes_get_varint(&in);
    if (in.bad || base_born > UINT32_MAX)
        return ASSAY_E_FORMAT;
    int code = take_streams(decoder, &in, n, &streams);
    for (unsigned i = 0; i < STREAMS_MAX; i++)
        if (!streams.at[i])
            streams.at[i] = nothing;
    if (!code)
        code = take_heads(decoder, streams.at[STREAM_HEADS], streams.bytes[STREAM_HEADS], &heads);
    for (unsigned i = 0; i < COLUMN_COUNT && !code; i++)
        if (!column_open(&decoder->columns[i], streams.at[STREAM_TOKENS(i)],
                         streams.bytes[STREAM_TOKENS(i)], streams.at[STREAM_VALUES(i)],
                         streams.bytes[STREAM_VALUES(i)]))
            code = ASSAY_E_FORMAT;
    model_start_block(&decoder->model, (uint32_t)base_born);
    for (size_t i = 0; i < n && !code;) {
        uint64_t row = take(decoder, COLUMN_HEAD);
        if (row >= heads)
            return ASSAY_E_FORMAT;
        const struct trace_head *head = &decoder->heads[row];
        bool pair = head->mask & MASK_PAIR;
        if (i + pair >= n)
            return ASSAY_E_FORMAT;
        code = take_event(decoder, head, &events[i + pair], &events[i]);
        i += 1 + pair;
    }
    for (unsigned i = 0; i < COLUMN_COUNT && !code; i++)
        if (!column_finished(&decoder->columns[i]))
            code = ASSAY_E_FORMAT;
    if (!code)
        *ret_sites =
            (struct assay_bytes_in){streams.at[STREAM_SITES],
                                    streams.at[STREAM_SITES] + streams.bytes[STREAM_SITES], false};
    return code;
}

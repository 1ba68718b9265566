#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "traces/trace_block.h"
#include "traces/trace_block_model.h"

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
        return block_operand_address(model, event);
    if (!(head->mask & MASK_ADDRESS))
        return take_if(decoder, head, MASK_VALUE, COLUMN_VALUE);
    uint64_t code = take(decoder, COLUMN_ADDRESS);
    uint64_t raw = code == PREDICT_RAW ? take(decoder, COLUMN_VALUE) : 0;
    return predict_decode(&model->predict, block_context_of(event), block_units_of(event),
                          event->object ? block_operand_address(model, event) : 0, code, raw);
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
        block_usable_learn(&decoder->model, bytes, extra);
    } else {
        block_usable_expected(&decoder->model, bytes, &extra);
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
        begin->address = head->mask & MASK_BEGIN_ADDRESS ? block_operand_address(model, event) : 0;
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
    return block_model_after(model, event);
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
    struct block_directory directory;
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
    int code = block_reserve(&decoder->body, &decoder->body_room, total + 1);
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
    block_model_start(&decoder->model, (uint32_t)base_born);
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

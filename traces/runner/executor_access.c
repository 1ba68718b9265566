/* Accesses of the program to what it was given, or to what it should not touch. */
#include "traces/runner/executor_objects.h"

/* Bytes of a live object that a write is about to replace keep their pattern until then. The newest
 * epoch is one run: a write that touches it extends it, one apart from it restores epoch 0. */
static void write_into(struct assay_executor *ex, struct assay_event *event, uint64_t from,
                       uint64_t to)
{
    uint32_t object = event->object;
    struct record *r = &ex->records[object];
    struct run *run = &ex->runs[object];
    bool has_run = r->flags & RECORD_RUN;
    if (!has_run || (from <= run->from && to >= run->to)) {
        if (r->epoch == UINT8_MAX)
            r->epoch = 0;
        r->epoch++;
        *run = (struct run){from, to};
        r->flags |= RECORD_RUN;
        assay_touch_fill(r->address, assay_touch_mixed_key(ex->mixed_seed, object, r->epoch), from,
                         to);
    } else if (from <= run->to && to >= run->from) {
        run->from = from < run->from ? from : run->from;
        run->to = to > run->to ? to : run->to;
        assay_touch_fill(r->address, assay_touch_mixed_key(ex->mixed_seed, object, r->epoch), from,
                         to);
    } else {
        assay_touch_fill(r->address, assay_touch_mixed_key(ex->mixed_seed, object, 0), from, to);
    }
}

/* Byte by byte: as many as the program asked for, and not one beyond. */
static uint64_t read_word(const char *p, uint64_t bytes)
{
    uint64_t word = 0;
    for (uint64_t i = 0; i < bytes; i++)
        word |= (uint64_t) * (const volatile unsigned char *)(p + i) << (8 * i);
    return word;
}

static void store_word(char *p, uint64_t word, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        *(volatile unsigned char *)(p + i) = (unsigned char)(word >> (8 * i));
}

static void do_store(const struct assay_executor *ex, const struct assay_event *event,
                     struct record *r)
{
    enum { WORD = 8 };
    uint32_t bytes = event->born == 0 || event->born > WORD ? WORD : event->born;
    if (r && r->state == STATE_LIVE && event->arg < r->bytes)
        r->flags |= RECORD_UNKNOWN; /* no pattern stands there any more */
    store_word(ex->pointer, event->size, bytes);
}

void assay_executor_access(struct assay_executor *ex, struct assay_event *event)
{
    enum { WORD = 8 };
    uint32_t object = event->place == ASSAY_PLACE_OBJECT ? event->object : 0;
    struct record *r = object ? &ex->records[object] : NULL;
    uint64_t from = event->arg, to = from + event->size;
    bool inside = r && event->kind != ASSAY_OP_STORE && r->state == STATE_LIVE && to >= from &&
                  to <= r->bytes && !(r->flags & RECORD_UNKNOWN);
    if (inside && ex->touch == ASSAY_TOUCH_FULL && to > from)
        verify(ex, event, ASSAY_FACT_CONTENT, object);
    begin_touch(ex, ASSAY_FACT_READABLE, object);
    if (event->kind == ASSAY_OP_STORE)
        do_store(ex, event, r);
    else if (event->kind == ASSAY_OP_READ && event->size <= WORD)
        event->value = read_word(ex->pointer, event->size);
    else if (event->kind == ASSAY_OP_READ)
        assay_touch_read(ex->pointer, 0, event->size);
    else if (inside && ex->touch == ASSAY_TOUCH_FULL && to > from)
        write_into(ex, event, from, to);
    else /* outside or unknown: the writer's own pattern goes on, so that the damage names it */
        assay_touch_fill(ex->pointer - (from & 7),
                         assay_touch_mixed_key(ex->mixed_seed, object, 0) +
                             (uint64_t)((int64_t)from >> 3) * ASSAY_TOUCH_STRIDE,
                         from & 7, (from & 7) + event->size);
    end_touch(ex);
    event->checked |= ASSAY_FACT_READABLE;
}

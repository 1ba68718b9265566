#include <stdlib.h>
#include <string.h>

#include "oracles/misuse/build.h"
#include "traces/core/error.h"
#include "traces/core/random.h"

enum { SMALL_BYTES = 256, PAGE = 4096, LARGE = 65536, FIRST_ROOM = 1024 };

#define TAG UINT64_C(0xa55a0000)

size_t assay_misuse_put(struct assay_misuse *m, struct assay_event op, struct assay_mark mark)
{
    if (m->n == m->room) {
        size_t room = m->room ? 2 * m->room : FIRST_ROOM;
        struct assay_event *events = realloc(m->events, room * sizeof *events);
        struct assay_mark *marks = realloc(m->marks, room * sizeof *marks);
        ASSAY_CHECK(events && marks);
        m->events = events;
        m->marks = marks;
        m->room = room;
    }
    op.thread = m->thread;
    if (mark.moment == MISUSE)
        op.flags |= ASSAY_FLAG_MISUSE;
    m->events[m->n] = op;
    m->marks[m->n] = mark;
    return m->n++;
}

uint32_t assay_misuse_malloc(struct assay_misuse *m, uint64_t size, enum assay_moment moment)
{
    uint32_t born = ++m->objects;
    assay_misuse_put(m, (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = size, .born = born},
                     (struct assay_mark){.moment = (uint8_t)moment});
    return born;
}

void assay_misuse_release(struct assay_misuse *m, uint32_t object, enum assay_moment moment)
{
    assay_misuse_put(m, (struct assay_event){.kind = ASSAY_OP_FREE, .object = object},
                     (struct assay_mark){.moment = (uint8_t)moment});
}

void assay_misuse_store(struct assay_misuse *m, uint32_t object, uint64_t offset, uint64_t word,
                        unsigned bytes, enum assay_moment moment)
{
    assay_misuse_put(
        m,
        (struct assay_event){
            .kind = ASSAY_OP_STORE, .object = object, .arg = offset, .size = word, .born = bytes},
        (struct assay_mark){.moment = (uint8_t)moment});
}

size_t assay_misuse_read(struct assay_misuse *m, uint32_t object, uint64_t offset,
                         struct assay_mark mark)
{
    return assay_misuse_put(
        m,
        (struct assay_event){.kind = ASSAY_OP_READ, .object = object, .arg = offset, .size = WORD},
        mark);
}

uint64_t assay_misuse_word(const struct assay_misuse *m, uint32_t object, uint64_t offset)
{
    return (TAG | (m->draw & 0xffff)) << 32 | (object & 0xffff) << 16 | ((offset / WORD) & 0xffff);
}

/* The next word of an object that is looked at, after offset. */
static uint64_t next_word(uint64_t size, uint64_t offset)
{
    uint64_t last = (size - WORD) & ~(uint64_t)(WORD - 1);
    uint64_t middle = (size / 2) & ~(uint64_t)(WORD - 1);
    if (size <= SMALL_BYTES)
        return offset + WORD;
    return offset < middle ? middle : offset < last ? last : size;
}

void assay_misuse_fill(struct assay_misuse *m, uint32_t object, uint64_t size)
{
    for (uint64_t at = 0; at + WORD <= size; at = next_word(size, at))
        assay_misuse_store(m, object, at, assay_misuse_word(m, object, at), WORD, SETUP);
}

void assay_misuse_check(struct assay_misuse *m, uint32_t object, uint64_t size,
                        struct assay_mark mark)
{
    for (uint64_t at = 0; at + WORD <= size; at = next_word(size, at)) {
        mark.word = assay_misuse_word(m, object, at);
        assay_misuse_read(m, object, at, mark);
    }
}

uint32_t assay_misuse_objects(struct assay_misuse *m, unsigned count, uint64_t size)
{
    uint32_t first = m->objects + 1;
    for (unsigned i = 0; i < count; i++) {
        uint32_t object = assay_misuse_malloc(m, size, SETUP);
        assay_misuse_fill(m, object, size);
    }
    return first;
}

void assay_misuse_observe(struct assay_misuse *m, unsigned count, uint64_t size)
{
    if (size > LARGE && count > FEW)
        count = FEW;
    for (unsigned i = 0; i < count; i++)
        assay_misuse_malloc(m, size, i == 0 ? NEXT_MALLOC : LATER);
}

void assay_misuse_observe_sizes(struct assay_misuse *m)
{
    enum { STEP = 16, FINE_MOST = 1024, MOST = 256 * 1024 };
    for (uint64_t size = STEP - WORD; size <= MOST; size += size < FINE_MOST ? STEP : size)
        for (unsigned i = 0; i < 2; i++)
            assay_misuse_malloc(m, size, LATER);
}

uint64_t assay_misuse_address(const struct assay_misuse *m, uint32_t object)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->events[i].born == object && assay_event_bears(&m->events[i]))
            return m->events[i].address;
    return 0;
}

bool assay_misuse_neighbours(const struct assay_misuse *m, uint32_t first, unsigned count,
                             bool before, uint32_t *ret_object, uint32_t *ret_next)
{
    uint64_t address[OBJECTS], best = PAGE;
    unsigned start = (unsigned)(m->draw >> 20) % count;
    bool found = false;
    if (count > OBJECTS)
        count = OBJECTS;
    for (unsigned i = 0; i < count; i++)
        address[i] = assay_misuse_address(m, first + i);
    /* among equally near ones, any */
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < count; j++) {
            unsigned a = (start + i) % count, b = j;
            uint64_t gap = before ? address[a] - address[b] : address[b] - address[a];
            if (a == b || !address[a] || !address[b] || gap >= best)
                continue;
            best = gap;
            found = true;
            *ret_object = first + a;
            *ret_next = first + b;
        }
    return found;
}

void assay_misuse_begin(struct assay_misuse *m, uint64_t trial, uint64_t draw)
{
    m->n = 0;
    m->objects = 0;
    m->thread = 0;
    m->trial = trial;
    m->draw = draw;
    m->stage = 0;
    m->reason = NULL;
    m->measured = false;
    m->value = 0;
    memset(m->note, 0, sizeof m->note);
}

void assay_misuse_free(struct assay_misuse *m)
{
    free(m->events);
    free(m->marks);
    memset(m, 0, sizeof *m);
}

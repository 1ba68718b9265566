#include <stdlib.h>
#include <string.h>

#include "fuzzers/directed/build.h"
#include "traces/core/error.h"

size_t assay_directed_put(struct assay_directed *d, struct assay_event op)
{
    enum { FIRST_ROOM = 1024 };
    if (d->n == d->room) {
        size_t room = d->room ? 2 * d->room : FIRST_ROOM;
        struct assay_event *events = realloc(d->events, room * sizeof *events);
        ASSAY_CHECK(events);
        d->events = events;
        d->room = room;
    }
    op.thread = d->thread;
    op.process = d->process;
    d->events[d->n] = op;
    return d->n++;
}

uint32_t assay_directed_bear(struct assay_directed *d, struct assay_event op)
{
    op.born = ++d->objects;
    assay_directed_put(d, op);
    return op.born;
}

uint32_t assay_directed_malloc(struct assay_directed *d, uint64_t size)
{
    return assay_directed_bear(d, (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = size});
}

uint32_t assay_directed_realloc(struct assay_directed *d, uint32_t object, uint64_t size)
{
    return assay_directed_bear(
        d, (struct assay_event){.kind = ASSAY_OP_REALLOC, .object = object, .size = size});
}

void assay_directed_release(struct assay_directed *d, uint32_t object)
{
    assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_FREE, .object = object});
}

void assay_directed_release_sized(struct assay_directed *d, uint32_t object,
                                  const struct assay_event *birth)
{
    struct assay_event op = {.kind = ASSAY_OP_FREE, .object = object};
    if (birth->kind == ASSAY_OP_ALIGNED_ALLOC) {
        op.kind = ASSAY_OP_FREE_ALIGNED_SIZED;
        op.arg = birth->arg;
    } else if (assay_event_alignment(birth) == 0) {
        op.kind = ASSAY_OP_FREE_SIZED;
    }
    if (op.kind == ASSAY_OP_FREE || !assay_directed_offers(d, op.kind)) {
        assay_directed_release(d, object);
        return;
    }
    assay_event_bytes(birth, &op.size);
    assay_directed_put(d, op);
}

void assay_directed_ask(struct assay_directed *d, uint32_t object)
{
    if (assay_directed_offers(d, ASSAY_OP_USABLE_SIZE))
        assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_USABLE_SIZE, .object = object});
}

void assay_directed_check(struct assay_directed *d, uint32_t object)
{
    assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_CHECK, .object = object});
}

const struct assay_event *assay_directed_birth(const struct assay_directed *d, uint32_t object)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->events[i].born == object && assay_event_bears(&d->events[i]) &&
            d->events[i].flags & ASSAY_FLAG_EXECUTED)
            return &d->events[i];
    return NULL;
}

void assay_directed_begin(struct assay_directed *d, uint64_t seed, size_t number, uint64_t missing,
                          const struct assay_profile *profile)
{
    d->n = 0;
    d->objects = 0;
    d->thread = d->process = 0;
    d->stage = 0;
    d->missing = missing;
    d->profile = profile;
    d->reason = NULL;
    assay_random_seed(&d->draw, seed ^ (uint64_t)(number + 1) << 40);
    memset(d->note, 0, sizeof d->note);
}

void assay_directed_free(struct assay_directed *d)
{
    free(d->events);
    memset(d, 0, sizeof *d);
}

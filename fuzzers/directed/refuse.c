/* C33 and what must hold beside it: mapping calls fail, one after the other, or all. */
#include "fuzzers/directed/experiments.h"
#include "traces/runner/mapping_faults.h"

enum { OBJECTS = 40, MOST_CALLS = 48, AFTERWARDS = 64 };
#define MIB (UINT64_C(1) << 20)

/* Objects by the numbers that they have at the end; 0: given back. */
struct work {
    uint32_t object[OBJECTS];
    unsigned n;
};

static uint32_t put_alloc(struct assay_directed *d, struct work *work, enum assay_op kind,
                          uint64_t size, uint64_t alignment)
{
    struct assay_event op = {.kind = (uint8_t)kind, .size = size, .arg = alignment};
    if (d->missing >> kind & 1)
        op = (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = size};
    else if (kind == ASSAY_OP_CALLOC)
        op.arg = 1;
    return work->object[work->n++] = assay_directed_bear(d, op);
}

/* What makes an allocator map, remap, protect, advise and unmap: small objects of many sizes, large
 * ones that grow, shrink and move, aligned and zeroed ones; some go and come again. */
static void put_work(struct assay_directed *d)
{
    struct work work = {.n = 0};
    for (unsigned i = 0; i < 12; i++)
        put_alloc(d, &work, ASSAY_OP_MALLOC, 24u << i, 0);
    put_alloc(d, &work, ASSAY_OP_MALLOC, 200000, 0);
    uint32_t grows = put_alloc(d, &work, ASSAY_OP_MALLOC, MIB, 0);
    uint32_t shrinks = put_alloc(d, &work, ASSAY_OP_MALLOC, 5 * MIB, 0);
    put_alloc(d, &work, ASSAY_OP_CALLOC, 2 * MIB, 0);
    put_alloc(d, &work, ASSAY_OP_POSIX_MEMALIGN, 300000, 65536);
    put_alloc(d, &work, ASSAY_OP_ALIGNED_ALLOC, 4 * MIB, 4096);
    put_alloc(d, &work, ASSAY_OP_MALLOC, 36 * MIB, 0);
    if (!(d->missing >> ASSAY_OP_REALLOC & 1)) {
        assay_directed_realloc(d, grows, 3 * MIB + 100);
        assay_directed_check(d, 0);
        assay_directed_realloc(d, shrinks, 700000);
        assay_directed_realloc(d, work.object[5], 400000);
        assay_directed_check(d, 0);
    }
}

/* Whether the object is live now, by what was answered. A resize gives its operand up when it is
 * granted. */
static bool is_live(const struct assay_directed *d, size_t from, uint32_t object)
{
    bool live = false;
    for (size_t i = from; i < d->n; i++) {
        const struct assay_event *event = &d->events[i];
        bool granted = assay_event_bears(event) && event->address != ASSAY_ADDRESS_NULL &&
                       event->flags & ASSAY_FLAG_EXECUTED && !(event->flags & ASSAY_FLAG_SKIPPED);
        if (granted && event->born == object)
            live = true;
        else if (event->object == object && (granted || event->kind == ASSAY_OP_FREE))
            live = false;
    }
    return live;
}

/* What lives of the objects since the op is given back, the failures still in force; then they end
 * and some is asked for again, zeroed. */
static void put_end(struct assay_directed *d, size_t from, uint32_t first)
{
    uint32_t last = d->objects;
    for (uint32_t i = 0; i <= last - first; i++) {
        uint32_t object = i % 2 ? last - i / 2 : first + i / 2;
        if (is_live(d, from, object))
            assay_directed_release(d, object);
    }
    assay_directed_put(d, assay_mapping_op(0, 0, 0));
    uint32_t zeroed[3];
    static const uint64_t sizes[] = {2 * MIB, 190000, 3000};
    for (unsigned i = 0; i < 3; i++)
        zeroed[i] = assay_directed_bear(
            d, (struct assay_event){.kind = d->missing >> ASSAY_OP_CALLOC & 1 ? ASSAY_OP_MALLOC
                                                                              : ASSAY_OP_CALLOC,
                                    .size = sizes[i],
                                    .arg = 1});
    for (unsigned i = 0; i < 3; i++)
        assay_directed_release(d, zeroed[i]);
    for (unsigned i = 0; i < AFTERWARDS; i++) /* what went wrong may show late */
        assay_directed_release(d, assay_directed_malloc(d, 16u << i % 12));
}

/* Of the last round: how many calls failed; UINT64_MAX: nobody watches them. */
static uint64_t failed(const struct assay_directed *d)
{
    for (size_t i = d->n; i-- > 0;)
        if (d->events[i].kind == ASSAY_OP_REFUSE)
            return d->events[i].flags & ASSAY_FLAG_SKIPPED ? UINT64_MAX : d->events[i].value;
    return UINT64_MAX;
}

enum { FROM = 1, FIRST }; /* notes: of the round's first op, and object */

/* A few objects come and go, so that what an allocator sets up once is set up. */
static void put_warm(struct assay_directed *d)
{
    static const uint64_t sizes[] = {40, 3000, 100000, MIB};
    for (unsigned i = 0; i < 4; i++)
        assay_directed_release(d, assay_directed_malloc(d, sizes[i]));
}

/* Two stages a round: the work, and what is made of its answers. */
static bool put_round(struct assay_directed *d, struct assay_event refuse)
{
    if (d->stage % 2 == 1) {
        put_end(d, d->note[FROM], (uint32_t)d->note[FIRST]);
        return true;
    }
    if (d->stage > 0 && failed(d) == UINT64_MAX)
        d->reason = "system calls cannot be watched here";
    if (d->stage > 0 && (failed(d) == 0 || failed(d) == UINT64_MAX))
        return false;
    d->note[FROM] = d->n;
    d->note[FIRST] = d->objects + 1;
    assay_directed_put(d, refuse);
    put_work(d);
    return true;
}

/* The first, second, third ... call of these kinds fails, until one round sees no failure. Before
 * it all the work was done once. */
ASSAY_DIRECTED_BUILDER(refuse_each)
{
    unsigned round = d->stage / 2;
    if (round > MOST_CALLS)
        return false;
    if (d->stage == 0)
        put_warm(d);
    return put_round(d, assay_mapping_op(argument, round + 1, 1));
}

/* In a process that has not allocated yet, call number `argument` fails. */
ASSAY_DIRECTED_BUILDER(refuse_first)
{
    if (d->stage > 1)
        return false;
    return put_round(d, assay_mapping_op(ASSAY_MAPPING_ALL, argument, 1));
}

/* From some call on they all fail. */
ASSAY_DIRECTED_BUILDER(refuse_all)
{
    if (d->stage > 5)
        return false;
    return put_round(d, assay_mapping_op(argument, 1 + d->stage, 0));
}

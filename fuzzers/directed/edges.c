/* Size classes: their edges are found by what the subject answers, and each is tried, with one byte
 * less and one more, by each function that bears, resizes or releases. */
#include "fuzzers/directed/boundary.h"
#include "fuzzers/directed/experiments.h"

enum {
    PER_DOUBLING = 16,
    PER_DOUBLING_APART = 8, /* where each size needs a crowd */
    CROWD = 8,
    BISECTIONS = 20,
    ASKED_MAX = 4096,
};
#define LARGEST_APART (UINT64_C(256) << 10)
enum { NOTE_HOW, NOTE_FROM, NOTE_COUNT, NOTE_PUT };
enum { BY_USABLE, BY_DISTANCE };

static uint32_t bear(struct assay_directed *d, enum assay_op kind, uint64_t arg, uint64_t size)
{
    return assay_directed_call(d, kind, 0, arg, size);
}

static uint32_t bear_null(struct assay_directed *d, enum assay_op kind, uint64_t arg, uint64_t size)
{
    return assay_directed_offers(d, kind)
               ? assay_directed_bear(d, (struct assay_event){.kind = (uint8_t)kind,
                                                             .place = ASSAY_PLACE_NULL,
                                                             .arg = arg,
                                                             .size = size})
               : 0;
}

/* A resize that must be granted: the object is another one then. */
static uint32_t resize(struct assay_directed *d, enum assay_op kind, uint32_t object, uint64_t arg,
                       uint64_t size)
{
    if (!object || !assay_directed_offers(d, kind))
        return object;
    return assay_directed_call(d, kind, object, arg, size);
}

static void release(struct assay_directed *d, uint32_t object)
{
    if (object)
        assay_directed_release(d, object);
}

static void ask(struct assay_directed *d, enum assay_op kind, uint32_t object)
{
    if (object && assay_directed_offers(d, kind))
        assay_directed_put(d, (struct assay_event){.kind = (uint8_t)kind, .object = object});
}

/* ---- finding the edges ---------------------------------------------------------------------- */

static void put_grid(struct assay_directed *d)
{
    uint64_t sizes[ASSAY_BOUNDARY_GRID];
    size_t n = assay_boundary_grid(sizes, PER_DOUBLING, ASSAY_BOUNDARY_LARGEST);
    for (size_t i = 0; i < n; i++)
        assay_directed_release(d, assay_directed_malloc(d, sizes[i]));
    d->note[NOTE_FROM] = n;
}

/* Objects of each size side by side. */
static void put_crowds(struct assay_directed *d, const uint64_t *sizes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < CROWD; k++)
            assay_directed_malloc(d, sizes[i]);
        for (uint32_t k = 0; k < CROWD; k++)
            assay_directed_release(d, d->objects - CROWD + 1 + k);
    }
    d->note[NOTE_COUNT] += n;
}

static size_t usable_answers(const struct assay_directed *d, struct assay_boundary_answer *answers)
{
    size_t n = 0;
    for (size_t i = 0; i < 2 * d->note[NOTE_FROM]; i += 2) {
        const struct assay_event *event = &d->events[i];
        if (event->flags & ASSAY_FLAG_USABLE)
            answers[n++] = (struct assay_boundary_answer){
                event->size, event->size + (uint64_t)(int64_t)event->usable_extra};
    }
    return n;
}

static size_t distance_answers(const struct assay_directed *d,
                               struct assay_boundary_answer *answers)
{
    size_t n = 0;
    for (size_t k = 0; k < d->note[NOTE_COUNT] && n < ASKED_MAX; k++) {
        uint64_t addresses[CROWD];
        const struct assay_event *first = &d->events[2 * d->note[NOTE_FROM] + k * 2 * CROWD];
        for (size_t i = 0; i < CROWD; i++)
            addresses[i] = first[i].address;
        size_t at = n++;
        for (; at > 0 && answers[at - 1].size > first->size; at--)
            answers[at] = answers[at - 1];
        answers[at] =
            (struct assay_boundary_answer){first->size, assay_boundary_stride(addresses, CROWD)};
    }
    return n;
}

/* Puts what has still to be asked and returns false, or fills the edges. Where usable sizes tell
 * nothing, distances of slots may; where neither does, powers of two and what lies between. */
static bool find_edges(struct assay_directed *d, uint64_t edges[ASSAY_BOUNDARY_EDGES],
                       size_t *ret_n)
{
    struct assay_boundary_answer answers[ASKED_MAX];
    uint64_t sizes[ASSAY_BOUNDARY_GRID];
    if (d->stage == 0) {
        put_grid(d);
        return false;
    }
    if (d->stage == 1) {
        size_t n = usable_answers(d, answers);
        d->note[NOTE_HOW] = assay_boundary_tells(answers, n) ? BY_USABLE : BY_DISTANCE;
        if (d->note[NOTE_HOW] == BY_DISTANCE) {
            n = assay_boundary_grid(sizes, PER_DOUBLING_APART, LARGEST_APART);
            put_crowds(d, sizes, n);
            return false;
        }
    }
    if (d->note[NOTE_HOW] == BY_USABLE) {
        *ret_n = assay_boundary_by_usable(answers, usable_answers(d, answers), edges);
        return true;
    }
    size_t n = distance_answers(d, answers);
    size_t more = assay_boundary_bisect(answers, n, sizes, ASSAY_BOUNDARY_GRID, edges, ret_n);
    if (more > 0 && d->stage < BISECTIONS) {
        put_crowds(d, sizes, more);
        return false;
    }
    if (*ret_n > 8)
        return true;
    *ret_n = 0;
    for (uint64_t size = 16; size <= ASSAY_BOUNDARY_LARGEST; size *= 2)
        for (uint64_t part = 4; part < 8; part++)
            if (*ret_n < ASSAY_BOUNDARY_EDGES)
                edges[(*ret_n)++] = size * part / 4;
    return true;
}

/* ---- programs ------------------------------------------------------------------------------- */

/* malloc and calloc: all that an edge separates live side by side, and calloc on what was used. */
static void put_births(struct assay_directed *d, uint64_t edge)
{
    uint32_t objects[] = {
        assay_directed_malloc(d, edge - 1),
        assay_directed_malloc(d, edge),
        assay_directed_malloc(d, edge + 1),
        bear(d, ASSAY_OP_CALLOC, 1, edge),
        bear(d, ASSAY_OP_CALLOC, edge, 1),
        bear(d, ASSAY_OP_CALLOC, 1, edge + 1),
        assay_directed_malloc(d, edge - (edge > 9 ? 9 : 0)),
    };
    enum { OBJECTS = sizeof objects / sizeof *objects };
    for (unsigned i = 0; i < 3; i++)
        ask(d, ASSAY_OP_USABLE_SIZE, objects[i]);
    for (unsigned i = 0; i < OBJECTS; i++)
        release(d, objects[i * 3 % OBJECTS]);
    for (unsigned i = 0; i < 2; i++)
        objects[i] = bear(d, ASSAY_OP_CALLOC, 1, edge);
    release(d, objects[0]);
    release(d, objects[1]);
}

/* The other functions that bear. */
static void put_other_births(struct assay_directed *d, uint64_t edge)
{
    uint32_t objects[] = {
        bear_null(d, ASSAY_OP_REALLOC, 0, edge),
        bear_null(d, ASSAY_OP_REALLOCARRAY, 1, edge),
        bear_null(d, ASSAY_OP_REALLOCARRAY, edge + 1, 1),
        bear(d, ASSAY_OP_ALIGNED_ALLOC, 16, edge & ~UINT64_C(15)),
        bear(d, ASSAY_OP_ALIGNED_ALLOC, 32, (edge + 32) & ~UINT64_C(31)),
        bear(d, ASSAY_OP_POSIX_MEMALIGN, 16, edge),
        bear(d, ASSAY_OP_POSIX_MEMALIGN, 64, edge + 1),
        bear(d, ASSAY_OP_MEMALIGN, 16, edge),
        bear(d, ASSAY_OP_MEMALIGN, 32, edge - 1),
        bear(d, ASSAY_OP_VALLOC, 0, edge),
        bear(d, ASSAY_OP_PVALLOC, 0, edge),
        bear_null(d, ASSAY_OP_REZALLOC, 0, edge),
    };
    enum { OBJECTS = sizeof objects / sizeof *objects };
    for (unsigned i = 0; i < OBJECTS; i++)
        release(d, objects[i * 5 % OBJECTS]);
}

/* From an edge to its neighbours and over it, with others in the way. */
static void put_resizes(struct assay_directed *d, uint64_t edge, uint64_t next)
{
    uint32_t before = assay_directed_malloc(d, edge), p = assay_directed_malloc(d, edge);
    uint32_t behind = assay_directed_malloc(d, edge), zeroed = assay_directed_malloc(d, edge - 1);
    const uint64_t steps[] = {next, edge, edge + 1, edge, edge - 1, next + 1, edge};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        p = resize(d, ASSAY_OP_REALLOC, p, 0, steps[i]);
    p = resize(d, ASSAY_OP_REALLOCARRAY, p, next, 1);
    before = resize(d, ASSAY_OP_REALLOC, before, 0, edge + 1);
    behind = resize(d, ASSAY_OP_REALLOC, behind, 0, edge - 1);
    behind = resize(d, ASSAY_OP_REALLOC, behind, 0, next);
    zeroed = resize(d, ASSAY_OP_REZALLOC, zeroed, 0, edge);
    zeroed = resize(d, ASSAY_OP_REZALLOC, zeroed, 0, next);
    release(d, before);
    release(d, p);
    release(d, zeroed);
    release(d, behind);
}

/* The size is given back with the object; what comes out again must be as large as it was. */
static void put_sized(struct assay_directed *d, uint64_t edge)
{
    enum { SIZES = 3, OBSERVERS = 6 };
    uint32_t objects[SIZES];
    for (unsigned i = 0; i < SIZES; i++)
        objects[i] = assay_directed_malloc(d, edge - 1 + i);
    for (unsigned i = 0; i < SIZES; i++)
        assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_FREE_SIZED,
                                                   .object = objects[i],
                                                   .size = edge - 1 + i});
    for (unsigned i = 0; i < OBSERVERS; i++)
        assay_directed_malloc(d, i % 2 ? edge : edge + 1);
    for (uint32_t i = 0; i < OBSERVERS; i++)
        assay_directed_release(d, d->objects - i);
}

/* Downwards: a good size of the class above shows what that can hold before the edge claims it. */
static void put_good_sizes(struct assay_directed *d, uint64_t edge)
{
    for (uint64_t size = edge + 1; size >= edge - 1; size--) {
        assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_GOOD_SIZE, .size = size});
        release(d, assay_directed_malloc(d, size));
    }
}

ASSAY_DIRECTED_BUILDER(edges)
{
    uint64_t edges[ASSAY_BOUNDARY_EDGES];
    size_t n = 0;
    bool sized = argument == EDGES_SIZED, good = argument == EDGES_GOOD_SIZE;
    if ((sized && lacks(d, ASSAY_OP_FREE_SIZED)) || (good && lacks(d, ASSAY_OP_GOOD_SIZE)) ||
        (argument == EDGES_RESIZED && lacks(d, ASSAY_OP_REALLOC)) || d->note[NOTE_PUT])
        return false;
    if (!find_edges(d, edges, &n))
        return true;
    d->note[NOTE_PUT] = 1;
    for (size_t i = 0; i < n; i++) {
        uint64_t edge = edges[i] > 1 ? edges[i] : 2;
        switch (argument) {
        case EDGES_BORN: put_births(d, edge); break;
        case EDGES_BORN_OTHERWISE: put_other_births(d, edge); break;
        case EDGES_RESIZED: put_resizes(d, edge, i + 1 < n ? edges[i + 1] : edge + edge / 2); break;
        case EDGES_SIZED: put_sized(d, edge); break;
        default: put_good_sizes(d, edge); break;
        }
    }
    assay_directed_check(d, 0);
    return true;
}

/* ---- sized releases ------------------------------------------------------------------------- */

/* Objects of size 0, 1 and the alignment, with every alignment; then requests that would meet the
 * slots in a wrong class. What such requests get otherwise is seen first. */
static void put_every_alignment(struct assay_directed *d)
{
    enum { LAST_LOG2 = 12, OBSERVERS = 3, SIZES = 4 };
    uint32_t kept[SIZES * (LAST_LOG2 + 1)], n = 0;
    for (unsigned log2 = 3; log2 <= LAST_LOG2; log2++)
        kept[n++] = assay_directed_malloc(d, UINT64_C(2) << log2);
    for (unsigned log2 = 0; log2 <= LAST_LOG2; log2++) {
        uint64_t alignment = UINT64_C(1) << log2;
        const uint64_t sizes[SIZES] = {0, 1, alignment, alignment * 3};
        for (unsigned i = 0; i < SIZES; i++) {
            uint32_t p = bear(d, ASSAY_OP_ALIGNED_ALLOC, alignment, sizes[i]);
            assay_directed_put(d, (struct assay_event){.kind = ASSAY_OP_FREE_ALIGNED_SIZED,
                                                       .object = p,
                                                       .arg = alignment,
                                                       .size = sizes[i]});
        }
        for (unsigned i = 0; i < OBSERVERS && log2 >= 3; i++)
            assay_directed_malloc(d, alignment * 2);
        for (uint32_t i = 0; i < OBSERVERS && log2 >= 3; i++)
            assay_directed_release(d, d->objects - i);
    }
    while (n > 0)
        assay_directed_release(d, kept[--n]);
}

/* Any size from the requested to the usable one. */
static void put_usable_sizes(struct assay_directed *d)
{
    size_t born = d->n;
    for (size_t i = 0; i < born; i++) {
        const struct assay_event event = d->events[i];
        if (event.kind != ASSAY_OP_MALLOC || !(event.flags & ASSAY_FLAG_USABLE) || !event.address)
            continue;
        uint64_t more = (uint64_t)(event.usable_extra > 0 ? event.usable_extra : 0);
        assay_directed_put(
            d, (struct assay_event){.kind = ASSAY_OP_FREE_SIZED,
                                    .object = event.born,
                                    .size = event.size + (event.born % 2 ? more : more / 2)});
    }
}

ASSAY_DIRECTED_BUILDER(sized)
{
    if (argument == SIZED_ALIGNED) {
        if (d->stage > 0 || lacks(d, ASSAY_OP_FREE_ALIGNED_SIZED) ||
            lacks(d, ASSAY_OP_ALIGNED_ALLOC))
            return false;
        put_every_alignment(d);
        return true;
    }
    if (lacks(d, ASSAY_OP_FREE_SIZED) || lacks(d, ASSAY_OP_USABLE_SIZE) || d->stage > 1)
        return false;
    if (d->profile->sized_free_accepts_usable != ASSAY_ANSWER_YES) {
        d->reason = "the profile does not promise that any size up to the usable one is taken";
        return false;
    }
    uint64_t sizes[ASSAY_BOUNDARY_GRID];
    size_t n = assay_boundary_grid(sizes, 8, UINT64_C(1) << 17);
    if (d->stage == 0)
        for (size_t i = 0; i < n; i++)
            assay_directed_malloc(d, sizes[i] - 5);
    else
        put_usable_sizes(d);
    return true;
}

/* Objects of every birth that other threads free, ask about and resize. */
#include "fuzzers/directed/experiments.h"
#include "fuzzers/directed/place.h"

static const struct assay_event births[] = {
    {.kind = ASSAY_OP_MALLOC, .size = 40},
    {.kind = ASSAY_OP_MALLOC, .size = 5000},
    {.kind = ASSAY_OP_MALLOC, .size = 300000},
    {.kind = ASSAY_OP_CALLOC, .arg = 3, .size = 40},
    {.kind = ASSAY_OP_CALLOC, .arg = 1, .size = 5000},
    {.kind = ASSAY_OP_CALLOC, .arg = 3, .size = 100000},
    {.kind = ASSAY_OP_REALLOC, .place = ASSAY_PLACE_NULL, .size = 200},
    {.kind = ASSAY_OP_REALLOCARRAY, .place = ASSAY_PLACE_NULL, .arg = 7, .size = 10},
    {.kind = ASSAY_OP_REALLOCARRAY, .place = ASSAY_PLACE_NULL, .arg = 300, .size = 1000},
    {.kind = ASSAY_OP_REZALLOC, .place = ASSAY_PLACE_NULL, .size = 200},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .arg = 64, .size = 100},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .arg = 512, .size = 5000},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .arg = 4096, .size = 100},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .arg = 4096, .size = 300000},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .arg = 65536, .size = 10000},
    {.kind = ASSAY_OP_ALIGNED_ALLOC, .arg = 32, .size = 96},
    {.kind = ASSAY_OP_ALIGNED_ALLOC, .arg = 64, .size = 640},
    {.kind = ASSAY_OP_ALIGNED_ALLOC, .arg = 4096, .size = 4096},
    {.kind = ASSAY_OP_ALIGNED_ALLOC, .arg = 16384, .size = 49152},
    {.kind = ASSAY_OP_MEMALIGN, .arg = 128, .size = 100},
    {.kind = ASSAY_OP_MEMALIGN, .arg = 4096, .size = 6000},
    {.kind = ASSAY_OP_MEMALIGN, .arg = 32768, .size = 100},
    {.kind = ASSAY_OP_VALLOC, .size = 100},
    {.kind = ASSAY_OP_VALLOC, .size = 10000},
    {.kind = ASSAY_OP_PVALLOC, .size = 100},
    {.kind = ASSAY_OP_PVALLOC, .size = 10000},
};
enum { BIRTHS = sizeof births / sizeof *births };
enum { FREED, SIZED, ASKED, GROWN, SHRUNK, ARRAYED, WAYS };

static uint32_t bear(struct assay_directed *d, const struct assay_event *birth)
{
    return assay_directed_offers(d, birth->kind) ? assay_directed_bear(d, *birth) : 0;
}

static uint32_t resize(struct assay_directed *d, uint32_t object, enum assay_op kind, uint64_t size)
{
    return assay_directed_offers(d, kind)
               ? assay_directed_call(d, kind, object, kind == ASSAY_OP_REALLOCARRAY, size)
               : object;
}

/* Ends the object's life. */
static void use(struct assay_directed *d, uint32_t object, const struct assay_event *birth,
                unsigned way)
{
    uint64_t bytes = 0;
    assay_event_bytes(birth, &bytes);
    if (!object)
        return;
    switch (way) {
    case SIZED: assay_directed_release_sized(d, object, birth); return;
    case GROWN: object = resize(d, object, ASSAY_OP_REALLOC, bytes * 2 + 100); break;
    case SHRUNK: object = resize(d, object, ASSAY_OP_REALLOC, bytes / 2); break;
    case ARRAYED: object = resize(d, object, ASSAY_OP_REALLOCARRAY, bytes * 3 / 2); break;
    default: break;
    }
    if (way != FREED)
        assay_directed_ask(d, object);
    assay_directed_release(d, object);
}

static void bear_all(struct assay_directed *d, uint32_t objects[BIRTHS][WAYS])
{
    for (unsigned way = 0; way < WAYS; way++)
        for (unsigned i = 0; i < BIRTHS; i++)
            objects[i][way] = bear(d, &births[i]);
}

static void use_all(struct assay_directed *d, uint32_t objects[BIRTHS][WAYS])
{
    for (unsigned way = 0; way < WAYS; way++)
        for (unsigned i = 0; i < BIRTHS; i++)
            use(d, objects[i][way], &births[i], way);
}

/* The main thread does it all first, to objects of its own; then to a thread's, and that one to
 * the main thread's; then a third to theirs. */
ASSAY_DIRECTED_BUILDER(crossing_any)
{
    enum { OWNER = 1, OTHER };
    uint32_t own[BIRTHS][WAYS], objects[BIRTHS][WAYS];
    bool dead = argument == CROSSING_DEAD_OWNER;
    if (d->stage > 0)
        return false;
    bear_all(d, own);
    use_all(d, own);
    bear_all(d, own);
    start_thread(d, OWNER);
    bear_all(d, objects);
    use_all(d, own);
    if (dead)
        end_thread(d);
    d->thread = 0;
    use_all(d, objects);
    if (dead)
        start_thread(d, OTHER + 1);
    else
        d->thread = OWNER;
    bear_all(d, objects);
    if (dead)
        end_thread(d);
    start_thread(d, OTHER);
    bear_all(d, own);
    use_all(d, objects);
    assay_directed_check(d, 0);
    use_all(d, own);
    end_thread(d);
    if (!dead) {
        d->thread = OWNER;
        end_thread(d);
    }
    return true;
}

#include <string.h>
#include <sys/mman.h>

#include "traces/runner/executor_state.h"

enum { PLACE_BYTES = 4096 };

uint64_t assay_executor_missing(const struct assay_subject *subject)
{
    const struct {
        enum assay_op kind;
        bool there;
    } apis[] = {
        {ASSAY_OP_MALLOC, subject->malloc != NULL},
        {ASSAY_OP_CALLOC, subject->calloc != NULL},
        {ASSAY_OP_REALLOC, subject->realloc != NULL},
        {ASSAY_OP_REALLOCARRAY, subject->reallocarray != NULL},
        {ASSAY_OP_FREE, subject->free != NULL},
        {ASSAY_OP_FREE_SIZED, subject->free_sized != NULL},
        {ASSAY_OP_FREE_ALIGNED_SIZED, subject->free_aligned_sized != NULL},
        {ASSAY_OP_ALIGNED_ALLOC, subject->aligned_alloc != NULL},
        {ASSAY_OP_POSIX_MEMALIGN, subject->posix_memalign != NULL},
        {ASSAY_OP_MEMALIGN, subject->memalign != NULL},
        {ASSAY_OP_VALLOC, subject->valloc != NULL},
        {ASSAY_OP_PVALLOC, subject->pvalloc != NULL},
        {ASSAY_OP_USABLE_SIZE, subject->malloc_usable_size != NULL},
        {ASSAY_OP_OBJECT_SIZE, subject->malloc_object_size != NULL},
        {ASSAY_OP_TRIM, subject->malloc_trim != NULL},
        {ASSAY_OP_REZALLOC, subject->rezalloc != NULL},
        {ASSAY_OP_GOOD_SIZE, subject->malloc_good_size != NULL},
        {ASSAY_OP_STATISTICS, subject->statistics != NULL},
        {ASSAY_OP_HEAP_WALK, subject->heap_walk != NULL},
        {ASSAY_OP_GUARDED_COPY, subject->guarded_copy != NULL},
    };
    uint64_t missing = 0;
    for (size_t i = 0; i < sizeof apis / sizeof *apis; i++)
        if (!apis[i].there)
            missing |= UINT64_C(1) << apis[i].kind;
    return missing;
}

uint64_t assay_executor_has(const struct assay_executor_config *config)
{
    uint64_t has = ASSAY_HAS_ORDER | ASSAY_HAS_ADDRESS | ASSAY_HAS_ERRNO | ASSAY_HAS_SIGNAL |
                   ASSAY_HAS_FOREIGN;
    if (config->touch == ASSAY_TOUCH_FULL)
        has |= ASSAY_HAS_CONTENT;
    if (config->ask_usable && config->subject && config->subject->malloc_usable_size)
        has |= ASSAY_HAS_USABLE;
    return has;
}

size_t assay_executor_bytes(const struct assay_executor_config *config)
{
    size_t objects = (size_t)config->max_objects + 1;
    size_t walk = config->subject->heap_walk ? 2 * sizeof(struct walked) : 0;
    return objects * (sizeof(struct record) + sizeof(struct run) + sizeof(uint32_t) + walk) +
           sizeof(struct assay_executor) + sizeof(struct assay_ranges) + 1024;
}

struct assay_executor *assay_executor_create(struct assay_arena *arena,
                                             const struct assay_executor_config *config)
{
    size_t objects = (size_t)config->max_objects + 1;
    struct assay_executor *ex = assay_arena_take(arena, sizeof *ex, 64);
    struct assay_ranges *ranges = assay_arena_take(arena, sizeof *ranges, 64);
    struct record *records = assay_arena_take(arena, objects * sizeof *records, 64);
    struct run *runs = assay_arena_take(arena, objects * sizeof *runs, 64);
    uint32_t *live = assay_arena_take(arena, objects * sizeof *live, 64);
    if (!ex || !ranges || !records || !runs || !live)
        return NULL;
    if (config->subject->heap_walk) {
        ex->walked = assay_arena_take(arena, 2 * objects * sizeof *ex->walked, 64);
        if (!ex->walked)
            return NULL;
    }
    ex->guard_page = mmap(NULL, PLACE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ex->guard_page == MAP_FAILED)
        return NULL;
    ex->records = records;
    ex->runs = runs;
    ex->live = live;
    ex->subject = *config->subject;
    ex->missing = assay_executor_missing(&ex->subject);
    ex->progress = config->progress;
    ex->mapping = config->mapping;
    ex->own = arena->base;
    ex->own_bytes = arena->capacity;
    ex->seed = config->seed;
    ex->mixed_seed = assay_touch_mix(config->seed);
    ex->max_objects = config->max_objects;
    ex->content_full = config->content_full;
    ex->ask_usable = config->ask_usable && ex->subject.malloc_usable_size;
    ex->usable_writable = config->usable_writable && ex->ask_usable;
    ex->touch = config->touch;
    ex->ranges = ranges;
    const void *code = NULL;
    memcpy(&code, &ex->subject.malloc, sizeof code);
    /* without /proc the stack is not known; what dl_iterate_phdr gave still is */
    (void)assay_ranges_snapshot(ranges, code, NULL);
    assay_executor_forbid(ex, arena->base, arena->capacity);
    assay_executor_forbid(ex, ex->guard_page, PLACE_BYTES);
    return ex;
}

void assay_executor_forbid(struct assay_executor *ex, const void *base, size_t bytes)
{
    assay_ranges_add(ex->ranges, (uintptr_t)base, (uintptr_t)base + bytes);
}

/* An executor and what it does not share. */
struct sharing {
    struct assay_executor executor; /* first */
    struct assay_ranges ranges;
};

size_t assay_executor_shared_bytes(void)
{
    return sizeof(struct sharing) + 64;
}

struct assay_executor *assay_executor_reserve(struct assay_arena *arena)
{
    struct sharing *sharing = assay_arena_take(arena, sizeof *sharing, 64);
    return sharing ? &sharing->executor : NULL;
}

void assay_executor_share(struct assay_executor *ex, const struct assay_executor *base)
{
    struct assay_ranges *ranges = &((struct sharing *)(void *)ex)->ranges;
    *ex = *base;
    *ranges = *base->ranges; /* its cache of gaps is written */
    ex->ranges = ranges;
    assay_executor_make_concurrent(ex);
}

void assay_executor_make_concurrent(struct assay_executor *ex)
{
    ex->concurrent = true;
    ex->progress = NULL;
}

void assay_executor_call_through(struct assay_executor *ex, const struct assay_subject *to)
{
    ex->subject = *to;
}

void assay_executor_touch_nothing(struct assay_executor *ex)
{
    ex->touch = ASSAY_TOUCH_NONE;
    ex->ask_usable = ex->usable_writable = false;
}

void assay_executor_rejoin(struct assay_executor *base, const struct assay_executor *other)
{
    if (other->highest > base->highest)
        base->highest = other->highest;
}

void assay_executor_forget(struct assay_executor *ex, uint64_t seed)
{
    assay_executor_system_restore(ex);
    memset(ex->records, 0, ((size_t)ex->highest + 1) * sizeof *ex->records);
    ex->highest = 0;
    ex->live_count = 0;
    ex->sweep_cursor = ex->sweep_far = ex->sweep_near = ex->sweep_tick = ex->finish_next = 0;
    ex->evidence_count = 0;
    ex->landing.armed = 0;
    ex->phase = PHASE_IDLE;
    ex->op_index = 0;
    ex->seed = seed;
    ex->mixed_seed = assay_touch_mix(seed);
    if (ex->progress)
        atomic_store_explicit(ex->progress, 0, memory_order_relaxed);
}

void assay_executor_reset(struct assay_executor *ex, uint64_t seed)
{
    if (ex->subject.free)
        for (uint32_t object = 1; object <= ex->highest; object++)
            if (ex->records[object].state == STATE_LIVE)
                ex->subject.free(ex->records[object].address);
    if (ex->subject.reset)
        ex->subject.reset();
    assay_executor_forget(ex, seed);
}

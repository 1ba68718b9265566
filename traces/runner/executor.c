#include "traces/runner/executor.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "traces/runner/crash.h"
#include "traces/runner/ranges.h"
#include "traces/runner/touch.h"

#define PROBABLY(x) __builtin_expect(!!(x), 1)
#define HARDLY(x)   __builtin_expect(!!(x), 0)

enum {
    EVIDENCE_MAX = 8,  /* per op */
    SWEEP_DENSE = 256, /* up to so many live objects one is swept at every op, */
    SWEEP_SPARSE = 8,  /* beyond, at every eighth */
    SLACK_MAX = 256,   /* [requested, usable) is touched with the object up to this many bytes, */
    SLACK_SAMPLED =
        ASSAY_TOUCH_TAIL_BYTES / 2, /* or this many, if the object is not touched whole */
    PLACE_BYTES = 4096,
    UNBORN_SENTINEL = 0x5a,
    ERRNO_KEPT = ENOTBLK
};

#define ADDRESSABLE (UINT64_C(1) << 47)

enum state { STATE_UNBORN, STATE_LIVE, STATE_DEAD };

enum record_flag {
    RECORD_WHOLE = 1 << 0,   /* touched whole */
    RECORD_UNKNOWN = 1 << 1, /* content no longer known: damaged, or never to be touched */
    RECORD_RUN = 1 << 2,     /* a later write left another epoch in runs[object] */
    RECORD_SLACK = 1 << 3    /* [bytes, bytes + slack) was filled too */
};

struct record {
    char *address;
    uint64_t bytes;
    uint32_t live; /* index in the live list (full touch only) */
    uint32_t slack;
    uint16_t epoch;
    uint8_t state;
    uint8_t flags;
    uint32_t spare;
};
_Static_assert(sizeof(struct record) == 32, "two records per cache line");

struct run {
    uint64_t from, to;
};

enum phase { PHASE_IDLE, PHASE_BEFORE, PHASE_CALL, PHASE_AFTER, PHASE_SWEEP };

struct assay_executor {
    struct record *records; /* by object number; [0] unused */
    struct run *runs;
    uint32_t *live;
    uint32_t live_count;
    uint32_t highest; /* object number used since reset */
    uint64_t missing;
    struct assay_subject subject;
    _Atomic uint64_t *progress;
    uint64_t op_index;
    uint64_t seed, mixed_seed;
    uint32_t max_objects;
    bool content_full, ask_usable, usable_writable, concurrent;
    enum assay_touch touch;
    struct assay_ranges *ranges;
    char *guard_page;
    char *stack_place;
    const struct assay_sink *sink;
    const char *sink_table;
    size_t sink_row_bytes;

    /* the op in progress, kept here so that a fault can come back to it */
    struct assay_event *events;
    size_t count, next;
    char *pointer; /* its operand */
    enum phase phase;
    uint8_t touching; /* the fact being established, and of which object */
    uint32_t touching_object;
    unsigned evidence_count;
    struct assay_event evidence[EVIDENCE_MAX];
    struct assay_landing landing;

    uint32_t sweep_cursor, sweep_far, sweep_near, sweep_tick;
    uint32_t finish_next;
};

static _Alignas(4096) char global_place[PLACE_BYTES];
/* A plausible allocated chunk of 64 bytes with a plausible next chunk, as in "house of spirit". */
static _Alignas(16) uint64_t forged_place[32] = {[0] = 0, [1] = 0x41, [9] = 0x41, [17] = 0x1001};

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
        {ASSAY_OP_REZALLOC, false},
        {ASSAY_OP_GOOD_SIZE, false},
        {ASSAY_OP_STATISTICS, false},
        {ASSAY_OP_HEAP_WALK, false},
        {ASSAY_OP_GUARDED_COPY, false},
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
    return objects * (sizeof(struct record) + sizeof(struct run) + sizeof(uint32_t)) +
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
    ex->guard_page = mmap(NULL, PLACE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ex->guard_page == MAP_FAILED)
        return NULL;
    ex->records = records;
    ex->runs = runs;
    ex->live = live;
    ex->subject = *config->subject;
    ex->missing = assay_executor_missing(&ex->subject);
    ex->progress = config->progress;
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

/* ---- content -------------------------------------------------------------------------------- */

static inline struct assay_content content_of(const struct assay_executor *ex, uint32_t object)
{
    const struct record *r = &ex->records[object];
    struct assay_content content = {.base = r->address,
                                    .bytes = r->bytes + (r->flags & RECORD_SLACK ? r->slack : 0),
                                    .key = assay_touch_mixed_key(ex->mixed_seed, object, 0),
                                    .whole = r->flags & RECORD_WHOLE};
    if (HARDLY(r->flags & RECORD_RUN)) {
        content.run_from = ex->runs[object].from;
        content.run_to = ex->runs[object].to;
        content.run_key = assay_touch_mixed_key(ex->mixed_seed, object, r->epoch);
    }
    return content;
}

static inline void begin_touch(struct assay_executor *ex, enum assay_fact fact, uint32_t object)
{
    ex->touching = (uint8_t)fact;
    ex->touching_object = object;
    ex->landing.armed = 1;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void end_touch(struct assay_executor *ex)
{
    atomic_signal_fence(memory_order_seq_cst);
    ex->landing.armed = 0;
}

/* Whose pattern stands in the damaged object at this offset: an object whose range covers the word,
 * or, failing that, any whose pattern has this word near its start. */
static uint32_t whose(const struct assay_executor *ex, uint32_t object, uint64_t offset,
                      uint64_t word)
{
    enum { NEAR_WORDS = 1 << 16, BEFORE_WORDS = 128 };
    uintptr_t address = (uintptr_t)ex->records[object].address + offset;
    for (uint32_t k = 1; k <= ex->highest; k++) {
        const struct record *r = &ex->records[k];
        uintptr_t base = (uintptr_t)r->address;
        if (r->state == STATE_UNBORN || address < base || address - base >= r->bytes + r->slack)
            continue;
        /* the damaged word may start inside one of k's words: compare the bytes that k has here */
        for (uint16_t epoch = 0; epoch <= r->epoch; epoch++) {
            struct assay_content content = {.key = assay_touch_mixed_key(ex->mixed_seed, k, epoch),
                                            .bytes = r->bytes,
                                            .whole = true};
            if ((k != object || epoch != r->epoch) &&
                assay_content_expected(&content, address - base) == word)
                return k;
        }
    }
    uint32_t found;
    uint16_t epoch;
    bool known = assay_touch_whose_word(ex->seed, word + BEFORE_WORDS * ASSAY_TOUCH_STRIDE,
                                        NEAR_WORDS, ex->highest, &found, &epoch);
    return known ? found : 0;
}

static void add_evidence(struct assay_executor *ex, enum assay_fact fact, uint32_t object,
                         uint64_t offset, uint64_t expected, uint64_t seen, uint32_t owner)
{
    struct assay_event *event = &ex->events[ex->next];
    uint8_t bits = (uint8_t)fact;
    if (!(event->failed & bits) || event->wrong_at > offset)
        event->wrong_at = offset > UINT32_MAX ? UINT32_MAX : (uint32_t)offset;
    event->checked |= bits;
    event->failed |= bits;
    if (ex->evidence_count == EVIDENCE_MAX)
        return;
    struct assay_event *evidence = &ex->evidence[ex->evidence_count++];
    memset(evidence, 0, sizeof *evidence);
    evidence->kind = ASSAY_OP_EVIDENCE;
    evidence->thread = event->thread;
    evidence->process = event->process;
    evidence->object = object;
    evidence->arg = offset;
    evidence->size = expected;
    evidence->value = seen;
    evidence->born = owner;
    evidence->checked = evidence->failed = bits;
    evidence->flags = ASSAY_FLAG_EXECUTED;
    evidence->site = (uint32_t)ex->next; /* which of the events that run() was given */
    evidence->wrong_at = offset > UINT32_MAX ? UINT32_MAX : (uint32_t)offset;
}

/* Up to 8 bytes from offset, zero-filled at the object's end. */
static uint64_t bytes_at(const struct assay_content *content, uint64_t offset, uint64_t end)
{
    uint64_t word = 0;
    uint64_t n = end - offset < 8 ? end - offset : 8;
    memcpy(&word, content->base + offset, n);
    return word;
}

static void __attribute__((noinline))
damage(struct assay_executor *ex, enum assay_fact fact, const struct assay_content *content,
       uint32_t object, uint64_t offset, uint64_t end, uint64_t expected)
{
    uint64_t seen = bytes_at(content, offset, end);
    uint64_t n = end - offset < 8 ? end - offset : 8;
    if (n < 8)
        expected &= (UINT64_C(1) << (8 * n)) - 1;
    /* the pattern's owner is read off a whole word: the one that starts here, or at the next word
     */
    uint64_t at = (offset + 7) & ~UINT64_C(7);
    uint32_t owner = n == 8 ? whose(ex, object, offset, seen) : 0;
    if (owner == 0 && at + 8 <= end)
        owner = whose(ex, object, at, bytes_at(content, at, end));
    add_evidence(ex, fact, object, offset, expected, seen, owner);
    ex->records[object].flags |= RECORD_UNKNOWN;
}

/* Verifies what is known of a live object, its slack included. */
static inline void verify(struct assay_executor *ex, struct assay_event *event,
                          enum assay_fact fact, uint32_t object)
{
    const struct record *r = &ex->records[object];
    uint64_t at;
    if (HARDLY(r->flags & RECORD_UNKNOWN))
        return;
    struct assay_content content = content_of(ex, object);
    begin_touch(ex, fact, object);
    if (PROBABLY((r->flags & (RECORD_WHOLE | RECORD_RUN)) == RECORD_WHOLE)) {
        at = assay_touch_verify(content.base, content.key, 0, content.bytes);
        at = at < content.bytes ? at : UINT64_MAX;
    } else {
        at = assay_content_verify(&content, UINT64_MAX);
    }
    end_touch(ex);
    event->checked |= (uint8_t)fact;
    if (r->flags & RECORD_SLACK)
        event->checked |= ASSAY_FACT_USABLE;
    if (HARDLY(at != UINT64_MAX))
        damage(ex, at >= r->bytes ? ASSAY_FACT_USABLE : fact, &content, object, at, content.bytes,
               assay_content_expected(&content, at));
}

/* ---- objects -------------------------------------------------------------------------------- */

static inline void list(struct assay_executor *ex, uint32_t object)
{
    ex->records[object].live = ex->live_count;
    ex->live[ex->live_count++] = object;
}

static inline void unlist(struct assay_executor *ex, uint32_t object)
{
    uint32_t at = ex->records[object].live, last = ex->live[--ex->live_count];
    ex->live[at] = last;
    ex->records[last].live = at;
}

static inline void die(struct assay_executor *ex, uint32_t object, bool full)
{
    ex->records[object].state = STATE_DEAD;
    if (full && PROBABLY(!ex->concurrent))
        unlist(ex, object);
}

/* One live object per step, in three stages so that neither record nor memory is waited for. */
static inline void sweep(struct assay_executor *ex, struct assay_event *event)
{
    if (HARDLY(ex->concurrent))
        return;
    if (ex->live_count > SWEEP_DENSE && ++ex->sweep_tick % SWEEP_SPARSE != 0)
        return;
    uint32_t now = ex->sweep_near, near = ex->sweep_far, far = 0;
    if (ex->live_count > 0) {
        if (ex->sweep_cursor >= ex->live_count)
            ex->sweep_cursor = 0;
        far = ex->live[ex->sweep_cursor++];
        __builtin_prefetch(&ex->records[far]);
    }
    if (near && ex->records[near].state == STATE_LIVE)
        __builtin_prefetch(ex->records[near].address);
    ex->sweep_far = far;
    ex->sweep_near = near;
    if (now && ex->records[now].state == STATE_LIVE) {
        ex->phase = PHASE_SWEEP;
        verify(ex, event, ASSAY_FACT_SIBLINGS, now);
    }
}

/* ---- one op --------------------------------------------------------------------------------- */

static char *uninitialised(struct assay_executor *ex, uint64_t size)
{
    if (!ex->subject.malloc || !ex->subject.free)
        return NULL;
    char *p = ex->subject.malloc(size ? size : 64), *word = NULL;
    if (!p)
        return NULL;
    if (size == 0 || size >= sizeof word)
        memcpy(&word, p, sizeof word);
    ex->subject.free(p);
    return word;
}

static char *place_of(struct assay_executor *ex, const struct assay_event *event, uint64_t offset)
{
    switch (event->place) {
    case ASSAY_PLACE_OBJECT:
        return event->object ? ex->records[event->object].address + offset : NULL;
    case ASSAY_PLACE_SMALL:
    case ASSAY_PLACE_WILD: return (char *)(uintptr_t)offset;
    case ASSAY_PLACE_STACK: return ex->stack_place + offset;
    case ASSAY_PLACE_GLOBAL: return global_place + offset;
    case ASSAY_PLACE_FORGED: return (char *)&forged_place[2] + offset;
    case ASSAY_PLACE_GUARD: return ex->guard_page + offset;
    case ASSAY_PLACE_UNINITIALISED: return uninitialised(ex, offset);
    case ASSAY_PLACE_NULL:
    default: return NULL;
    }
}

/* True if the op's operand is a whole live object, given by its own address. */
static inline bool owns(const struct assay_executor *ex, const struct assay_event *event,
                        uint64_t offset)
{
    return event->object != 0 && event->place == ASSAY_PLACE_OBJECT && offset == 0 &&
           ex->records[event->object].state == STATE_LIVE;
}

/* Allocation succeeded, failed, or gave an address that must not be touched. */
static inline __attribute__((always_inline)) void
bear(struct assay_executor *ex, struct assay_event *event, char *address, uint64_t bytes, bool full)
{
    event->address = (uint64_t)(uintptr_t)address;
    uint32_t born = event->born;
    if (HARDLY(address == NULL || born == 0))
        return;
    struct record *r = &ex->records[born];
    *r = (struct record){.address = address, .bytes = bytes, .state = STATE_LIVE};
    if (born > ex->highest)
        ex->highest = born;
    if (HARDLY(bytes > ADDRESSABLE)) {
        r->flags = RECORD_UNKNOWN; /* nobody can have so much: the size oracles' affair, not ours */
    } else if (HARDLY(assay_ranges_touches(ex->ranges, (uintptr_t)address, bytes ? bytes : 1))) {
        r->flags = RECORD_UNKNOWN;
        add_evidence(ex, ASSAY_FACT_FOREIGN, born, 0, 0, 0, 0);
    } else {
        event->checked |= ASSAY_FACT_FOREIGN;
        if (full)
            r->flags = assay_content_whole(bytes, born, ex->content_full) ? RECORD_WHOLE : 0;
    }
    if (full && PROBABLY(!ex->concurrent))
        list(ex, born);
}

static inline void ask_usable(struct assay_executor *ex, struct assay_event *event, uint32_t object)
{
    struct record *r = &ex->records[object];
    uint64_t usable = ex->subject.malloc_usable_size(r->address);
    int64_t extra = (int64_t)(usable - r->bytes);
    event->usable_extra = extra > INT32_MAX   ? INT32_MAX
                          : extra < INT32_MIN ? INT32_MIN
                                              : (int32_t)extra;
    event->flags |= ASSAY_FLAG_USABLE;
    r->slack = extra > 0 && extra <= INT32_MAX ? (uint32_t)extra : 0;
}

static inline void touch_page(const struct record *r)
{
    uint64_t end = r->bytes < ASSAY_TOUCH_WHOLE_MAX ? r->bytes : ASSAY_TOUCH_WHOLE_MAX;
    for (uint64_t at = 0; at < end; at += 4096)
        *(volatile char *)(r->address + at) = 1;
}

/* Content of a new object: checked where the call promises something, then filled. */
static inline void birth(struct assay_executor *ex, struct assay_event *event)
{
    uint32_t born = event->born;
    struct record *r = &ex->records[born];
    if (HARDLY(r->flags & RECORD_UNKNOWN))
        return;
    struct assay_content content = content_of(ex, born);
    if (event->kind == ASSAY_OP_CALLOC) {
        begin_touch(ex, ASSAY_FACT_ZERO, born);
        uint64_t at = assay_content_zero(&content);
        end_touch(ex);
        event->checked |= ASSAY_FACT_ZERO;
        if (HARDLY(at != UINT64_MAX)) {
            damage(ex, ASSAY_FACT_ZERO, &content, born, at, content.bytes, 0);
            r->flags &= (uint8_t)~RECORD_UNKNOWN; /* dirty, but ours: filled and watched */
        }
    }
    if (ex->usable_writable && r->slack > 0 &&
        r->slack <= (content.whole ? SLACK_MAX : SLACK_SAMPLED)) {
        r->flags |= RECORD_SLACK;
        content.bytes += r->slack;
    }
    begin_touch(ex, ASSAY_FACT_CONTENT, born);
    if (PROBABLY(content.whole))
        assay_touch_fill(content.base, content.key, 0, content.bytes);
    else
        assay_content_fill(&content);
    end_touch(ex);
}

/* assay_event_bears(), for a kind known here */
static inline bool bears(unsigned kind)
{
    return (kind >= ASSAY_OP_MALLOC && kind <= ASSAY_OP_REALLOCARRAY) ||
           (kind >= ASSAY_OP_ALIGNED_ALLOC && kind <= ASSAY_OP_PVALLOC);
}

static inline bool is_access(unsigned kind)
{
    return kind == ASSAY_OP_READ || kind == ASSAY_OP_WRITE;
}

static inline __attribute__((always_inline)) uint64_t offset_of(const struct assay_event *event,
                                                                unsigned kind)
{
    switch (kind) {
    case ASSAY_OP_REALLOCARRAY:
    case ASSAY_OP_FREE_ALIGNED_SIZED: return 0;
    default: return event->arg;
    }
}

/* The operand's content before the call. */
static inline __attribute__((always_inline)) void
before_call(struct assay_executor *ex, struct assay_event *event, unsigned kind)
{
    switch (kind) {
    case ASSAY_OP_REALLOC:
    case ASSAY_OP_REALLOCARRAY:
    case ASSAY_OP_FREE:
    case ASSAY_OP_FREE_SIZED:
    case ASSAY_OP_FREE_ALIGNED_SIZED:
        if (owns(ex, event, offset_of(event, kind))) {
            verify(ex, event, ASSAY_FACT_CONTENT, event->object);
        }
        break;
    default: break;
    }
}

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

static void do_access(struct assay_executor *ex, struct assay_event *event)
{
    uint32_t object = event->place == ASSAY_PLACE_OBJECT ? event->object : 0;
    struct record *r = object ? &ex->records[object] : NULL;
    uint64_t from = event->arg, to = from + event->size;
    bool inside =
        r && r->state == STATE_LIVE && to >= from && to <= r->bytes && !(r->flags & RECORD_UNKNOWN);
    if (inside && ex->touch == ASSAY_TOUCH_FULL && to > from)
        verify(ex, event, ASSAY_FACT_CONTENT, object);
    begin_touch(ex, ASSAY_FACT_READABLE, object);
    if (event->kind == ASSAY_OP_READ)
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

static void do_check(struct assay_executor *ex, struct assay_event *event)
{
    if (ex->touch != ASSAY_TOUCH_FULL)
        return;
    if (event->object) {
        if (owns(ex, event, 0))
            verify(ex, event, ASSAY_FACT_CONTENT, event->object);
        return;
    }
    for (; ex->finish_next < ex->live_count; ex->finish_next++)
        verify(ex, event, ASSAY_FACT_SIBLINGS, ex->live[ex->finish_next]);
    ex->finish_next = 0;
}

#define CALL(expression)                                                                           \
    do {                                                                                           \
        errno = 0;                                                                                 \
        ex->phase = PHASE_CALL;                                                                    \
        expression;                                                                                \
        int code = errno;                                                                          \
        event->error = (uint8_t)(code > UINT8_MAX ? UINT8_MAX : code);                             \
    } while (0)

/* A release keeps errno: it finds a value that no allocator sets, and a zero in its place is as
 * wrong as an error. 255 says the zero, 0 says that nothing changed. */
#define RELEASE(expression)                                                                        \
    do {                                                                                           \
        errno = ERRNO_KEPT;                                                                        \
        ex->phase = PHASE_CALL;                                                                    \
        expression;                                                                                \
        int code = errno;                                                                          \
        event->error = (uint8_t)(code == ERRNO_KEPT              ? 0                               \
                                 : code == 0 || code > UINT8_MAX ? UINT8_MAX                       \
                                                                 : code);                          \
    } while (0)

static inline void resized(struct assay_executor *ex, struct assay_event *event, char *result,
                           uint64_t bytes, bool owned, bool full)
{
    uint32_t object = event->object;
    if (HARDLY(result == NULL)) {
        event->address = ASSAY_ADDRESS_NULL;
        /* realloc(p, 0) that gives NULL has freed, unless it says ENOMEM; every other NULL is a
         * refusal */
        if (owned && bytes == 0 && event->error != ENOMEM)
            die(ex, object, full);
        return;
    }
    if (owned) {
        if (HARDLY(event->born == 0)) { /* refused where the trace was taken, granted here */
            ex->records[object].address = result;
            ex->records[object].bytes = bytes;
            ex->records[object].flags |= RECORD_UNKNOWN;
            event->address = (uint64_t)(uintptr_t)result;
            return;
        }
        die(ex, object, full);
    }
    bear(ex, event, result, bytes, full);
}

/* Verifies what a resize brought along: the old object's pattern at the new place; after a refusal
 * the old object itself (C13). */
static inline void verify_prefix(struct assay_executor *ex, struct assay_event *event)
{
    uint32_t object = event->object;
    struct record *old = &ex->records[object];
    if (old->flags & RECORD_UNKNOWN)
        return;
    if (event->address == ASSAY_ADDRESS_NULL) {
        if (old->state == STATE_LIVE)
            verify(ex, event, ASSAY_FACT_PREFIX, object);
        return;
    }
    if (event->born == 0 || (ex->records[event->born].flags & RECORD_UNKNOWN))
        return;
    struct assay_content content = content_of(ex, object);
    content.base = ex->records[event->born].address;
    uint64_t limit = ex->records[event->born].bytes;
    if (limit > old->bytes) /* what stood in the old slack need not come along */
        limit = old->bytes;
    begin_touch(ex, ASSAY_FACT_PREFIX, event->born);
    uint64_t at = assay_content_verify(&content, limit);
    end_touch(ex);
    event->checked |= ASSAY_FACT_PREFIX;
    if (HARDLY(at != UINT64_MAX)) {
        uint64_t end = limit < content.bytes ? limit : content.bytes;
        damage(ex, ASSAY_FACT_PREFIX, &content, event->born, at, end,
               assay_content_expected(&content, at));
        ex->records[event->born].flags &= (uint8_t)~RECORD_UNKNOWN;
    }
}

static inline __attribute__((always_inline)) void
call(struct assay_executor *ex, struct assay_event *event, unsigned kind, bool full)
{
    const struct assay_subject *subject = &ex->subject;
    char *result = NULL;
    bool owned;
    switch (kind) {
    case ASSAY_OP_MALLOC:
        CALL(result = subject->malloc(event->size));
        bear(ex, event, result, event->size, full);
        break;
    case ASSAY_OP_FREE:
        owned = owns(ex, event, event->arg);
        RELEASE(subject->free(ex->pointer));
        if (owned)
            die(ex, event->object, full);
        break;
    case ASSAY_OP_CALLOC:
        CALL(result = subject->calloc(event->arg, event->size));
        bear(ex, event, result, event->arg * event->size, full);
        break;
    case ASSAY_OP_REALLOC:
        owned = owns(ex, event, event->arg);
        CALL(result = subject->realloc(ex->pointer, event->size));
        resized(ex, event, result, event->size, owned, full);
        break;
    case ASSAY_OP_REALLOCARRAY:
        owned = owns(ex, event, 0);
        CALL(result = subject->reallocarray(ex->pointer, event->arg, event->size));
        resized(ex, event, result, event->arg * event->size, owned, full);
        break;
    case ASSAY_OP_FREE_SIZED:
        owned = owns(ex, event, event->arg);
        RELEASE(subject->free_sized(ex->pointer, event->size));
        if (owned)
            die(ex, event->object, full);
        break;
    case ASSAY_OP_FREE_ALIGNED_SIZED:
        owned = owns(ex, event, 0);
        RELEASE(subject->free_aligned_sized(ex->pointer, event->arg, event->size));
        if (owned)
            die(ex, event->object, full);
        break;
    case ASSAY_OP_ALIGNED_ALLOC:
        CALL(result = subject->aligned_alloc(event->arg, event->size));
        bear(ex, event, result, event->size, full);
        break;
    case ASSAY_OP_POSIX_MEMALIGN: {
        void *const sentinel = (void *)(uintptr_t)UNBORN_SENTINEL;
        void *out = sentinel;
        int returned = 0;
        CALL(returned = subject->posix_memalign(&out, event->arg, event->size));
        event->error = (uint8_t)(returned < 0 || returned > UINT8_MAX ? UINT8_MAX : returned);
        if (returned != 0) {
            event->checked |= ASSAY_FACT_OUT;
            if (out != sentinel)
                add_evidence(ex, ASSAY_FACT_OUT, event->born, 0, UNBORN_SENTINEL,
                             (uint64_t)(uintptr_t)out, 0);
        }
        bear(ex, event, returned == 0 ? out : NULL, event->size, full);
        break;
    }
    case ASSAY_OP_MEMALIGN:
        CALL(result = subject->memalign(event->arg, event->size));
        bear(ex, event, result, event->size, full);
        break;
    case ASSAY_OP_VALLOC:
        CALL(result = subject->valloc(event->size));
        bear(ex, event, result, event->size, full);
        break;
    case ASSAY_OP_PVALLOC:
        CALL(result = subject->pvalloc(event->size));
        bear(ex, event, result, event->size, full);
        break;
    case ASSAY_OP_USABLE_SIZE: CALL(event->value = subject->malloc_usable_size(ex->pointer)); break;
    case ASSAY_OP_OBJECT_SIZE: CALL(event->value = subject->malloc_object_size(ex->pointer)); break;
    case ASSAY_OP_TRIM: CALL(event->value = (uint64_t)subject->malloc_trim(0)); break;
    case ASSAY_OP_READ:
    case ASSAY_OP_WRITE:
        ex->phase = PHASE_CALL;
        if (ex->touch != ASSAY_TOUCH_NONE)
            do_access(ex, event);
        break;
    case ASSAY_OP_CHECK:
        ex->phase = PHASE_CALL;
        do_check(ex, event);
        break;
    default: break; /* control and records: the runner's affair */
    }
}

static inline __attribute__((always_inline)) void
after_call(struct assay_executor *ex, struct assay_event *event, unsigned kind, bool full)
{
    ex->phase = PHASE_AFTER;
    bool resize = kind == ASSAY_OP_REALLOC || kind == ASSAY_OP_REALLOCARRAY;
    if (full && resize && event->object && event->place == ASSAY_PLACE_OBJECT &&
        offset_of(event, kind) == 0 && (event->checked & ASSAY_FACT_CONTENT) &&
        !(event->failed & ASSAY_FACT_CONTENT))
        verify_prefix(ex, event);
    if (!bears(kind) || event->born == 0 || event->address == ASSAY_ADDRESS_NULL)
        return;
    if (ex->ask_usable && !(event->failed & ASSAY_FACT_FOREIGN))
        ask_usable(ex, event, event->born);
    if (full) {
        birth(ex, event);
    } else if (ex->touch == ASSAY_TOUCH_PAGE &&
               !(ex->records[event->born].flags & RECORD_UNKNOWN)) {
        begin_touch(ex, ASSAY_FACT_CONTENT, event->born);
        touch_page(&ex->records[event->born]);
        end_touch(ex);
    }
}

static inline void emit(struct assay_executor *ex, struct assay_event *event)
{
    event->flags |= ASSAY_FLAG_EXECUTED;
    const struct assay_sink *sink = ex->sink;
    if (sink && sink->after) {
        sink->after(sink->self, event);
        for (unsigned i = 0; i < ex->evidence_count; i++)
            sink->after(sink->self, &ex->evidence[i]);
    }
    ex->evidence_count = 0;
    ex->phase = PHASE_IDLE;
}

static void skip(struct assay_executor *ex, struct assay_event *event)
{
    event->flags |= ASSAY_FLAG_SKIPPED;
    event->address = 0;
    if (ex->sink && ex->sink->after)
        ex->sink->after(ex->sink->self, event);
}

/* Not executable: the API is missing, or the operand was never born here. */
static inline __attribute__((always_inline)) bool
blocked(const struct assay_executor *ex, const struct assay_event *event, unsigned kind)
{
    if (HARDLY(kind >= ASSAY_OP_COUNT || (ex->missing >> kind & 1)))
        return true;
    if (HARDLY(event->object > ex->max_objects || event->born > ex->max_objects))
        return true;
    return event->object != 0 && event->place == ASSAY_PLACE_OBJECT &&
           ex->records[event->object].state == STATE_UNBORN;
}

/* Lines, records and memory of operands to come: the program knows what the caches do not. Another
 * processor wrote the events, and each is written here. */
static inline __attribute__((always_inline)) void look_ahead(const struct assay_executor *ex,
                                                             bool full)
{
    enum { LINES = 24, RECORDS = 12, MEMORY = 5 };
    __builtin_prefetch(&ex->events[ex->next + LINES], 1);
    if (HARDLY(ex->next + RECORDS >= ex->count))
        return;
    uint32_t operand = ex->events[ex->next + RECORDS].object;
    if (HARDLY(operand > ex->max_objects))
        return;
    __builtin_prefetch(&ex->records[operand]);
    if (!full)
        return;
    __builtin_prefetch(ex->sink_table + (size_t)operand * ex->sink_row_bytes, 1);
    uint32_t near = ex->events[ex->next + MEMORY].object;
    const char *p = ex->records[near <= ex->max_objects ? near : 0].address;
    __builtin_prefetch(p);
    __builtin_prefetch(p + 64);
}

static inline __attribute__((always_inline)) void
step(struct assay_executor *ex, struct assay_event *event, unsigned kind, bool full)
{
    if (HARDLY(blocked(ex, event, kind))) {
        skip(ex, event);
        return;
    }
    char *pointer = NULL;
    if (kind != ASSAY_OP_MALLOC && kind != ASSAY_OP_CALLOC && (event->object || event->place))
        pointer = PROBABLY(event->place == ASSAY_PLACE_OBJECT)
                      ? ex->records[event->object].address + offset_of(event, kind)
                      : place_of(ex, event, offset_of(event, kind));
    ex->pointer = pointer;
    event->address = (uint64_t)(uintptr_t)pointer;
    if (ex->sink && ex->sink->before)
        ex->sink->before(ex->sink->self, event);
    ex->phase = PHASE_BEFORE;
    if (full)
        before_call(ex, event, kind);
    call(ex, event, kind, full);
    after_call(ex, event, kind, full);
    if (full)
        sweep(ex, event);
    emit(ex, event);
}

/* The frequent kinds have a body of their own each, in which the kind is a constant. */
static inline __attribute__((always_inline)) void run_loop(struct assay_executor *ex, bool full)
{
    for (; ex->next < ex->count; ex->next++, ex->op_index++) {
        struct assay_event *event = &ex->events[ex->next];
        if (ex->progress)
            atomic_store_explicit(ex->progress, ex->op_index, memory_order_relaxed);
        look_ahead(ex, full);
        /* a first half has no result: the resize is executed, whole, at its second half */
        if (HARDLY(event->flags & (ASSAY_FLAG_BEGIN | ASSAY_FLAG_END | ASSAY_FLAG_LIBRARY))) {
            if (event->flags & (ASSAY_FLAG_BEGIN | ASSAY_FLAG_LIBRARY))
                continue;
            event->flags &= (uint8_t)~ASSAY_FLAG_END;
        }
        event->flags &= (uint8_t) ~(ASSAY_FLAG_USABLE | ASSAY_FLAG_EXECUTED | ASSAY_FLAG_SKIPPED);
        event->usable_extra = 0;
        memset(&event->error, 0, 8); /* error, signal, checked, failed, wrong_at */
        switch (event->kind) {
        case ASSAY_OP_MALLOC: step(ex, event, ASSAY_OP_MALLOC, full); break;
        case ASSAY_OP_FREE: step(ex, event, ASSAY_OP_FREE, full); break;
        case ASSAY_OP_CALLOC: step(ex, event, ASSAY_OP_CALLOC, full); break;
        case ASSAY_OP_REALLOC: step(ex, event, ASSAY_OP_REALLOC, full); break;
        default: step(ex, event, event->kind, full); break;
        }
    }
}

static void __attribute__((noinline)) run_full(struct assay_executor *ex)
{
    run_loop(ex, true);
}

static void __attribute__((noinline)) run_plain(struct assay_executor *ex)
{
    run_loop(ex, false);
}

/* A fault while memory was touched on purpose: noted, and the op goes on behind it. */
static void note_fault(struct assay_executor *ex, int signal)
{
    struct assay_event *event = &ex->events[ex->next];
    uint32_t object = ex->touching_object;
    uint8_t fact = ex->touching;
    uintptr_t base = object ? (uintptr_t)ex->records[object].address : 0;
    uint64_t offset = ex->landing.fault_address >= base ? ex->landing.fault_address - base : 0;
    if (object == 0 || offset >= ex->records[object].bytes)
        offset = event->arg;
    event->checked |= ASSAY_FACT_READABLE;
    event->failed |= ASSAY_FACT_READABLE;
    if (is_access(event->kind) && fact == ASSAY_FACT_READABLE)
        event->signal = (uint8_t)signal;
    add_evidence(ex, (enum assay_fact)fact, object, offset, 0, 0, 0);
    if (object)
        ex->records[object].flags |= RECORD_UNKNOWN;
}

static void __attribute__((noinline)) resume(struct assay_executor *ex, bool full)
{
    struct assay_event *event = &ex->events[ex->next];
    switch (ex->phase) {
    case PHASE_BEFORE: call(ex, event, event->kind, full); __attribute__((fallthrough));
    case PHASE_CALL:
        if (event->kind == ASSAY_OP_CHECK && event->object == 0)
            do_check(ex, event); /* the rest of the live objects */
        else
            after_call(ex, event, event->kind, full);
        break;
    default: break;
    }
    emit(ex, event);
    ex->next++;
    ex->op_index++;
}

void assay_executor_run(struct assay_executor *ex, struct assay_event *events, size_t n,
                        const struct assay_sink *sink)
{
    char local[256];
    memset(local, 0, sizeof local);
    ex->stack_place = local + 64;
    ex->events = events;
    ex->count = n;
    ex->next = 0;
    ex->sink = sink;
    ex->sink_table = sink && sink->table ? sink->table : (const char *)ex->records;
    ex->sink_row_bytes = sink && sink->table ? sink->row_bytes : sizeof(struct record);
    bool full = ex->touch == ASSAY_TOUCH_FULL;
    struct assay_landing *before = assay_crash_landing(&ex->landing);
    int signal = sigsetjmp(ex->landing.place, 0);
    if (signal != 0) {
        note_fault(ex, signal);
        resume(ex, ex->touch == ASSAY_TOUCH_FULL);
    }
    if (full)
        run_full(ex);
    else
        run_plain(ex);
    assay_crash_landing(before);
}

size_t assay_executor_shared_bytes(void)
{
    return sizeof(struct assay_executor) + sizeof(struct assay_ranges) + 256;
}

struct assay_executor *assay_executor_share(struct assay_arena *arena,
                                            const struct assay_executor *base)
{
    struct assay_executor *ex = assay_arena_take(arena, sizeof *ex, 64);
    struct assay_ranges *ranges = assay_arena_take(arena, sizeof *ranges, 64);
    if (!ex || !ranges)
        return NULL;
    *ex = *base;
    *ranges = *base->ranges; /* its cache of gaps is written */
    ex->ranges = ranges;
    assay_executor_make_concurrent(ex);
    return ex;
}

void assay_executor_make_concurrent(struct assay_executor *ex)
{
    ex->concurrent = true;
    ex->progress = NULL;
}

void assay_executor_rejoin(struct assay_executor *base, const struct assay_executor *other)
{
    if (other->highest > base->highest)
        base->highest = other->highest;
}

void assay_executor_finish(struct assay_executor *ex, const struct assay_sink *sink)
{
    struct assay_event check = {.kind = ASSAY_OP_CHECK};
    if (ex->progress)
        atomic_store_explicit(ex->progress, ex->op_index, memory_order_relaxed);
    if (ex->concurrent && ex->touch == ASSAY_TOUCH_FULL)
        for (uint32_t object = ex->live_count = 0; object <= ex->highest; object++)
            if (ex->records[object].state == STATE_LIVE)
                list(ex, object);
    if (ex->touch == ASSAY_TOUCH_FULL && ex->live_count > 0)
        assay_executor_run(ex, &check, 1, sink);
    if (sink && sink->end)
        sink->end(sink->self);
}

void assay_executor_forget(struct assay_executor *ex, uint64_t seed)
{
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

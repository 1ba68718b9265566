#include "traces/runner/executor.h"

#include <errno.h>
#include <string.h>

#include "traces/runner/executor_state.h"

enum {
    SWEEP_DENSE = 256, /* up to so many live objects one is swept at every op, */
    SWEEP_SPARSE = 8,  /* beyond, at every eighth */
    SLACK_MAX = 256,   /* [requested, usable) is touched with the object up to this many bytes, */
    SLACK_SAMPLED =
        ASSAY_TOUCH_TAIL_BYTES / 2, /* or this many, if the object is not touched whole; */
    SLACK_PROBE = 16,               /* of more only the end is written, and not looked at again */
    UNBORN_SENTINEL = 0x5a,
    ERRNO_KEPT = ENOTBLK
};

#define ADDRESSABLE (UINT64_C(1) << 47)

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
        assay_executor_damage(ex, at >= r->bytes ? ASSAY_FACT_USABLE : fact, &content, object, at,
                              content.bytes, assay_content_expected(&content, at));
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
        assay_executor_evidence(ex, ASSAY_FACT_FOREIGN, born, 0, 0, 0, 0);
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

/* Where the bytes begin that rezalloc added: behind what was usable. Without usable sizes that is
 * not known. */
static uint64_t grown_from(const struct assay_executor *ex, const struct assay_event *event)
{
    const struct record *old = &ex->records[event->object];
    if (event->object == 0 || event->place != ASSAY_PLACE_OBJECT)
        return 0;
    return ex->ask_usable ? old->bytes + old->slack : UINT64_MAX;
}

/* Content of a new object: checked where the call promises something, then filled. */
static inline void birth(struct assay_executor *ex, struct assay_event *event)
{
    uint32_t born = event->born;
    struct record *r = &ex->records[born];
    if (HARDLY(r->flags & RECORD_UNKNOWN))
        return;
    struct assay_content content = content_of(ex, born);
    if (event->kind == ASSAY_OP_CALLOC || HARDLY(event->kind == ASSAY_OP_REZALLOC)) {
        uint64_t from = event->kind == ASSAY_OP_CALLOC ? 0 : grown_from(ex, event);
        begin_touch(ex, ASSAY_FACT_ZERO, born);
        uint64_t at = assay_content_zero(&content, from);
        end_touch(ex);
        event->checked |= ASSAY_FACT_ZERO;
        if (HARDLY(at != UINT64_MAX)) {
            assay_executor_damage(ex, ASSAY_FACT_ZERO, &content, born, at, content.bytes, 0);
            r->flags &= (uint8_t)~RECORD_UNKNOWN; /* dirty, but ours: filled and watched */
        }
    }
    if (ex->usable_writable && r->slack > 0 &&
        r->slack <= (content.whole ? SLACK_MAX : SLACK_SAMPLED)) {
        r->flags |= RECORD_SLACK;
        content.bytes += r->slack;
    } else if (ex->usable_writable && r->slack > 0) {
        uint64_t end = r->bytes + r->slack; /* too long for more than a word at its end */
        begin_touch(ex, ASSAY_FACT_USABLE, born);
        assay_touch_fill(content.base, content.key, end - SLACK_PROBE, end);
        end_touch(ex);
        event->checked |= ASSAY_FACT_USABLE;
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
           (kind >= ASSAY_OP_ALIGNED_ALLOC && kind <= ASSAY_OP_PVALLOC) ||
           kind == ASSAY_OP_REZALLOC;
}

static inline bool resizes(unsigned kind)
{
    return kind == ASSAY_OP_REALLOC || kind == ASSAY_OP_REALLOCARRAY || kind == ASSAY_OP_REZALLOC;
}

static inline bool is_access(unsigned kind)
{
    return kind == ASSAY_OP_READ || kind == ASSAY_OP_WRITE || kind == ASSAY_OP_STORE;
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
    case ASSAY_OP_REZALLOC:
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

static void do_access(struct assay_executor *ex, struct assay_event *event)
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
    uint64_t kept = event->kind == ASSAY_OP_REZALLOC ? content.bytes : old->bytes;
    if (limit > kept) /* what stood in the old slack need not come along, unless C17 says so */
        limit = kept;
    begin_touch(ex, ASSAY_FACT_PREFIX, event->born);
    uint64_t at = assay_content_verify(&content, limit);
    end_touch(ex);
    event->checked |= ASSAY_FACT_PREFIX;
    if (HARDLY(at != UINT64_MAX)) {
        uint64_t end = limit < content.bytes ? limit : content.bytes;
        assay_executor_damage(ex, at < old->bytes ? ASSAY_FACT_PREFIX : ASSAY_FACT_ZERO, &content,
                              event->born, at, end, assay_content_expected(&content, at));
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
        event->usable_extra = returned ? event->error : 0;
        event->error = (uint8_t)(returned < 0 || returned > UINT8_MAX ? UINT8_MAX : returned);
        if (returned != 0) {
            event->checked |= ASSAY_FACT_OUT;
            if (out != sentinel)
                assay_executor_evidence(ex, ASSAY_FACT_OUT, event->born, 0, UNBORN_SENTINEL,
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
    case ASSAY_OP_REZALLOC:
        owned = owns(ex, event, event->arg);
        CALL(result = subject->rezalloc(ex->pointer, event->size));
        resized(ex, event, result, event->size, owned, full);
        break;
    case ASSAY_OP_GOOD_SIZE: CALL(event->value = subject->malloc_good_size(event->size)); break;
    case ASSAY_OP_STATISTICS: CALL(event->value = subject->statistics(event->arg != 0)); break;
    case ASSAY_OP_HEAP_WALK:
        ex->phase = PHASE_CALL;
        if (!ex->concurrent)
            assay_executor_walk(ex, event);
        break;
    case ASSAY_OP_READ:
    case ASSAY_OP_WRITE:
    case ASSAY_OP_STORE:
        ex->phase = PHASE_CALL;
        if (ex->touch != ASSAY_TOUCH_NONE)
            do_access(ex, event);
        break;
    case ASSAY_OP_CHECK:
        ex->phase = PHASE_CALL;
        do_check(ex, event);
        break;
    case ASSAY_OP_MEASURE:
    case ASSAY_OP_LIMIT:
    case ASSAY_OP_REFUSE:
        ex->phase = PHASE_CALL;
        if (!assay_executor_system(ex, event))
            event->flags |= ASSAY_FLAG_SKIPPED;
        break;
    default: break; /* control and records: the runner's affair */
    }
}

static inline __attribute__((always_inline)) void
after_call(struct assay_executor *ex, struct assay_event *event, unsigned kind, bool full)
{
    ex->phase = PHASE_AFTER;
    if (full && resizes(kind) && event->object && event->place == ASSAY_PLACE_OBJECT &&
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
                      : assay_executor_place(ex, event, offset_of(event, kind));
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
    assay_executor_evidence(ex, (enum assay_fact)fact, object, offset, 0, 0, 0);
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

static void run(struct assay_executor *ex, struct assay_event *events, size_t from, size_t to,
                const struct assay_sink *sink)
{
    char local[256];
    memset(local, 0, sizeof local);
    ex->stack_place = local + 64;
    ex->events = events;
    ex->count = to;
    ex->next = from;
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

void assay_executor_run(struct assay_executor *ex, struct assay_event *events, size_t n,
                        const struct assay_sink *sink)
{
    run(ex, events, 0, n, sink);
}

void assay_executor_run_part(struct assay_executor *ex, struct assay_event *events, size_t from,
                             size_t to, uint64_t base, const struct assay_sink *sink)
{
    ex->op_index = base + from;
    run(ex, events, from, to, sink);
}

void assay_executor_drop(struct assay_executor *ex, uint32_t object)
{
    if (object == 0 || object > ex->max_objects || ex->records[object].state != STATE_LIVE)
        return;
    ex->subject.free(ex->records[object].address);
    die(ex, object, ex->touch == ASSAY_TOUCH_FULL);
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

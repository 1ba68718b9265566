#include "traces/runner/executor.h"

#include <errno.h>
#include <string.h>

#include "traces/runner/executor_objects.h"

enum { ERRNO_KEPT = ENOTBLK };

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
    case ASSAY_OP_FREE_ALIGNED_SIZED:
    case ASSAY_OP_GUARDED_COPY: return 0;
    default: return event->arg;
    }
}

/* Of a resize; one that wraps to 0 is no request for nothing. */
static inline uint64_t product_of(const struct assay_event *event)
{
    uint64_t bytes = event->arg * event->size;
    return bytes == 0 && event->arg && event->size ? 1 : bytes;
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
        resized(ex, event, result, product_of(event), owned, full);
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
            assay_executor_access(ex, event);
        break;
    case ASSAY_OP_GUARDED_COPY:
        if (event->arg == 0 || event->arg > ex->max_objects)
            break;
        if (owns(ex, event, 0)) /* no pattern stands there any more */
            ex->records[event->object].flags |= RECORD_UNKNOWN;
        CALL(result =
                 subject->guarded_copy(ex->pointer, ex->records[event->arg].address, event->size));
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
    case ASSAY_OP_TURNOVER:
        ex->phase = PHASE_CALL;
        assay_executor_turnover(ex, event);
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
    if (!bears(kind))
        return;
    if (HARDLY(event->address == ASSAY_ADDRESS_NULL)) {
        if (event->error == ENOMEM)
            assay_executor_refused(ex, event);
        return;
    }
    if (event->born == 0)
        return;
    /* behind an address that a wrapped sum led to nothing is to be read */
    if (ex->ask_usable && !(event->failed & ASSAY_FACT_FOREIGN) &&
        PROBABLY(ex->records[event->born].bytes <= PTRDIFF_MAX &&
                 event->address != UNBORN_SENTINEL && assay_event_alignment(event) <= ADDRESSABLE))
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

void assay_executor_drop_unborn(struct assay_executor *ex, uint32_t object)
{
    assay_executor_drop(ex, object);
    if (object != 0 && object <= ex->max_objects)
        ex->records[object].state = STATE_UNBORN;
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

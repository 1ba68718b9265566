/* Inside libassay_recorder.so: the state of a recorded thread and the way of a record into its log.
 *
 * Nothing here allocates or takes a lock on the path of a record; errno is left as the allocator
 * left it. The state of a thread is one private page that the kernel wipes in a forked child
 * (MADV_WIPEONFORK): whatever made the child, its first call finds an empty state and gets logs of
 * its own. */
#ifndef ASSAY_RECORDER_H
#define ASSAY_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <x86intrin.h>

#include "traces/capture/recorder_log.h"
#include "traces/event.h"

#define RECORDER_EXPORT      __attribute__((visibility("default")))
#define RECORDER_LIKELY(x)   __builtin_expect(!!(x), 1)
#define RECORDER_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define RECORDER_CALLER      ((uint64_t)(uintptr_t)__builtin_return_address(0))

struct recorder_thread {
    struct recorder_record *cursor, *limit; /* equal: needs a window */
    struct recorder_log_header *header;     /* NULL: wiped, or never had a log */
    uintptr_t inside;                       /* frame of the hook that is running, 0 = none */
    uint64_t head;
    void *window;
    size_t window_bytes, next_window;
    uint32_t log; /* number of the file */
    uint32_t tid;
    uint32_t retry_in;    /* drops until the next attempt to get a window */
    uint32_t exit_rounds; /* key destructor rounds seen */
};

extern __thread struct recorder_thread *recorder_self
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
/* Number of the log of a thread that has ended, + 1; 0 = it has not. */
extern __thread uint32_t recorder_ended
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
extern struct recorder_control *recorder_control __attribute__((visibility("hidden")));
extern bool recorder_off __attribute__((visibility("hidden")));
extern bool recorder_counter __attribute__((visibility("hidden")));
extern bool recorder_fence __attribute__((visibility("hidden")));

/* The thread's state, made if need be; NULL while recording is off. Keeps errno. */
struct recorder_thread *recorder_attach(void) __attribute__((visibility("hidden"), cold));
/* Makes room for two records or counts a drop and returns false. Keeps errno. */
bool recorder_window(struct recorder_thread *self) __attribute__((visibility("hidden"), cold));
/* A call inside another: counted, or taken over from a frame that is gone. */
struct recorder_thread *recorder_nested(struct recorder_thread *self, uintptr_t frame)
    __attribute__((visibility("hidden"), cold));
/* The thread's log is complete; its state is given back. */
void recorder_detach(struct recorder_thread *self) __attribute__((visibility("hidden")));
/* "ASSAY_RECORDER_DIRECTORY=..." */
const char *recorder_directory_variable(void) __attribute__((visibility("hidden")));
uint64_t recorder_next_malloc(void) __attribute__((visibility("hidden")));
void recorder_maps(void) __attribute__((visibility("hidden")));
/* Registers handlers for fork, exit and the end of threads; once per program. */
void recorder_life_start(void) __attribute__((visibility("hidden")));
/* Arranges that recorder_life sees this thread's end. */
void recorder_life_attach(struct recorder_thread *self) __attribute__((visibility("hidden")));
/* Number of the fork that this thread is in; in the child, until it is known, the number of its own
 * birth. 0: none. */
extern __thread uint32_t recorder_fork_number
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* NULL: call the allocator and record nothing. */
static inline struct recorder_thread *recorder_enter(void)
{
    struct recorder_thread *self = recorder_self;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    if (RECORDER_UNLIKELY(!self || !self->header)) {
        if (recorder_off)
            return NULL;
        self = recorder_attach();
        if (!self)
            return NULL;
    }
    if (RECORDER_UNLIKELY(self->inside))
        return recorder_nested(self, frame);
    self->inside = frame;
    return self;
}

static inline void recorder_leave(struct recorder_thread *self)
{
    atomic_signal_fence(memory_order_seq_cst);
    self->inside = 0;
}

/* After the allocator returned, before anybody else can know the result. */
static inline uint64_t recorder_stamp_after(void)
{
    unsigned cpu;
    if (RECORDER_UNLIKELY(recorder_counter))
        return atomic_fetch_add(&recorder_control->counter, 1);
    uint64_t stamp = __rdtscp(&cpu);
    _mm_lfence();
    return stamp;
}

/* Before the allocator is called. */
static inline uint64_t recorder_stamp_before(void)
{
    if (RECORDER_UNLIKELY(recorder_counter))
        return atomic_fetch_add(&recorder_control->counter, 1);
    _mm_lfence();
    return __rdtsc();
}

static inline bool recorder_open(struct recorder_thread *self)
{
    if (RECORDER_UNLIKELY(self->limit - self->cursor < 2) && !recorder_window(self))
        return false;
    atomic_store_explicit(&self->header->busy, 1, memory_order_relaxed);
    if (RECORDER_UNLIKELY(recorder_fence))
        atomic_thread_fence(memory_order_seq_cst);
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

static inline void recorder_put(struct recorder_thread *self, uint64_t stamp, unsigned kind,
                                unsigned phase, unsigned error, uint64_t pointer, uint64_t size,
                                uint64_t high, uint64_t caller)
{
    struct recorder_record *record = self->cursor++;
    record->stamp = stamp;
    record->what = (pointer & RECORDER_ADDRESS_MASK) | (uint64_t)kind << RECORDER_KIND_SHIFT |
                   (uint64_t)phase << RECORDER_PHASE_SHIFT |
                   (uint64_t)(error & 255) << RECORDER_ERROR_SHIFT;
    record->size = size;
    record->caller = (caller & RECORDER_ADDRESS_MASK) | high;
    self->head++;
}

static inline void recorder_close(struct recorder_thread *self)
{
    atomic_store_explicit(&self->header->head, self->head, memory_order_release);
    atomic_store_explicit(&self->header->busy, 0, memory_order_release);
}

/* One call, its stamp taken at `before` or after. arg is an alignment or a count. */
static inline void recorder_call(struct recorder_thread *self, bool before, unsigned kind,
                                 unsigned phase, unsigned family, int error, const void *pointer,
                                 uint64_t size, uint64_t arg, uint64_t caller)
{
    uint64_t high = (uint64_t)family << RECORDER_FAMILY_SHIFT;
    if (!recorder_open(self))
        return;
    uint64_t stamp = before ? recorder_stamp_before() : recorder_stamp_after();
    if (arg != 0) {
        if (kind == ASSAY_OP_CALLOC || kind == ASSAY_OP_REALLOCARRAY) {
            if ((size | arg) >> 32 == 0) {
                size |= arg << 32;
                high |= UINT64_C(1) << RECORDER_PACKED_SHIFT;
                arg = 0;
            }
        } else if ((arg & (arg - 1)) == 0) {
            high |= (uint64_t)(__builtin_ctzll(arg) + 1) << RECORDER_LOG2_SHIFT;
            arg = 0;
        }
        if (RECORDER_UNLIKELY(arg != 0)) {
            recorder_put(self, stamp, RECORDER_KIND_EXTEND, 0, 0, 0, arg, 0, 0);
            high |= UINT64_C(1) << RECORDER_WIDE_SHIFT;
        }
    }
    recorder_put(self, stamp, kind, phase, (unsigned)error, (uint64_t)(uintptr_t)pointer, size,
                 high, caller);
    recorder_close(self);
}

#endif

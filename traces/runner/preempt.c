#include "traces/runner/preempt.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "traces/core/clock.h"
#include "traces/runner/breakpoint.h"

enum {
    CALLS_PER_PAUSE = 4,
    PROGRESS_LOG2 = 7, /* what others are to do meanwhile; an op is two stamps */
    YIELDS = 3,
    NAPS = 24,
    NAPS_AT_END = 4,
    NAP_NS = 20000
};

static __thread struct assay_preempted *thread_self;
static _Atomic uint32_t staying; /* threads; while one does at its begin or end others do not */

static uint64_t draw(struct assay_preempted *self)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random >> 8;
}

/* Until the others have got on. */
static void stay(struct assay_preempted *self)
{
    const struct timespec nap = {0, NAP_NS};
    for (unsigned i = 0; i < NAPS_AT_END && self->ends; i++) /* what ends stamps nothing */
        nanosleep(&nap, NULL);
    if (self->ends)
        return;
    uint64_t one = draw(self) % PROGRESS_LOG2, other = draw(self) % PROGRESS_LOG2;
    uint64_t until = atomic_load(self->clock) + (UINT64_C(2) << (one < other ? one : other));
    unsigned i = 0;
    for (; i < YIELDS + self->naps && atomic_load(self->clock) < until; i++)
        if (i < YIELDS)
            sched_yield();
        else
            nanosleep(&nap, NULL);
    bool in_vain = atomic_load(self->clock) < until;
    self->naps = in_vain ? self->naps / 2 + 1 : self->naps < NAPS ? self->naps + 2 : NAPS;
}

static bool on_step(void)
{
    struct assay_preempted *self = thread_self;
    if (!self || !self->stepping)
        return false;
    self->steps++;
    return true;
}

static void on_breakpoint(void)
{
    struct assay_preempted *self = thread_self;
    int kept = errno;
    if (self && self->inside) {
        atomic_fetch_add(&staying, 1);
        stay(self);
        atomic_fetch_sub(&staying, 1);
    }
    errno = kept;
}

void assay_preempt_install(const struct assay_subject *subject, bool steps_only)
{
    const void *code = NULL;
    memcpy(&code, &subject->malloc, sizeof code);
    assay_breakpoint_install(code, steps_only, on_step, on_breakpoint);
}

void assay_preempt_thread(struct assay_preempted *self, const struct assay_subject *subject,
                          _Atomic uint64_t *clock)
{
    self->subject = *subject;
    self->clock = clock;
    /* another for each thread and process, which draw seldom where it matters: at their first calls
     */
    self->random = ((uintptr_t)self ^ assay_now_ns()) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    self->called = self->ends = false;
    self->naps = NAPS;
    thread_self = self;
    (void)prctl(PR_SET_TIMERSLACK, 1);
}

/* ---- around each call ----------------------------------------------------------------------- */

static inline __attribute__((always_inline)) uint64_t stamp(struct assay_preempted *self)
{
    return atomic_fetch_add(self->clock, 1) + 1;
}

static inline __attribute__((always_inline)) void begin(struct assay_preempted *self,
                                                        enum assay_breakpoint_way way)
{
    uint64_t bits = draw(self);
    bool first = !self->called && way < ASSAY_BREAKPOINT_BEGINS;
    self->called = true;
    if (first)
        way = ASSAY_BREAKPOINT_BEGINS;
    bool rare = way >= ASSAY_BREAKPOINT_BEGINS && bits % 2 && atomic_load(&staying) == 0;
    if ((way < ASSAY_BREAKPOINT_BEGINS && bits % CALLS_PER_PAUSE == 0) || rare)
        assay_breakpoint_set(draw(self), atomic_load(self->clock), way);
    self->stepping = assay_breakpoint_steps(bits >> 24, way);
    if (self->before)
        atomic_store(self->before, stamp(self));
    self->inside = true;
    if (self->stepping)
        assay_breakpoint_step();
}

static inline __attribute__((always_inline)) void end(struct assay_preempted *self)
{
    int kept = errno;
    self->inside = false;
    if (self->stepping) {
        assay_breakpoint_step_no_more();
        assay_breakpoint_learnt();
        self->stepping = false;
    }
    if (self->after)
        *self->after = stamp(self);
    errno = kept;
}

void assay_preempt_end(void)
{
    if (!thread_self)
        return;
    thread_self->before = NULL;
    thread_self->after = NULL;
    thread_self->ends = true;
    begin(thread_self, ASSAY_BREAKPOINT_ENDS);
}

#define CALLS(result_type, name, parameters, arguments)                                            \
    static result_type step_##name parameters                                                      \
    {                                                                                              \
        struct assay_preempted *self = thread_self;                                                \
        begin(self, ASSAY_BREAKPOINT_TAKES);                                                       \
        result_type result = self->subject.name arguments;                                         \
        end(self);                                                                                 \
        return result;                                                                             \
    }
#define GIVES_BACK(name, parameters, arguments)                                                    \
    static void step_##name parameters                                                             \
    {                                                                                              \
        struct assay_preempted *self = thread_self;                                                \
        begin(self, ASSAY_BREAKPOINT_GIVES_BACK);                                                  \
        self->subject.name arguments;                                                              \
        end(self);                                                                                 \
    }
CALLS(void *, malloc, (size_t size), (size))
CALLS(void *, calloc, (size_t count, size_t size), (count, size))
CALLS(void *, realloc, (void *p, size_t size), (p, size))
CALLS(void *, reallocarray, (void *p, size_t count, size_t size), (p, count, size))
CALLS(void *, rezalloc, (void *p, size_t size), (p, size))
CALLS(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
CALLS(int, posix_memalign, (void **out, size_t alignment, size_t size), (out, alignment, size))
CALLS(void *, memalign, (size_t alignment, size_t size), (alignment, size))
CALLS(void *, valloc, (size_t size), (size))
CALLS(void *, pvalloc, (size_t size), (size))
GIVES_BACK(free, (void *p), (p))
GIVES_BACK(free_sized, (void *p, size_t size), (p, size))
GIVES_BACK(free_aligned_sized, (void *p, size_t alignment, size_t size), (p, alignment, size))

struct assay_subject assay_preempt_subject(const struct assay_subject *subject)
{
    struct assay_subject through = *subject;
#define THROUGH(name) through.name = subject->name ? step_##name : NULL
    THROUGH(malloc);
    THROUGH(calloc);
    THROUGH(realloc);
    THROUGH(reallocarray);
    THROUGH(rezalloc);
    THROUGH(aligned_alloc);
    THROUGH(posix_memalign);
    THROUGH(memalign);
    THROUGH(valloc);
    THROUGH(pvalloc);
    THROUGH(free);
    THROUGH(free_sized);
    THROUGH(free_aligned_sized);
#undef THROUGH
    return through;
}

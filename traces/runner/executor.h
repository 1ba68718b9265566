/* The executor: gives ops to a subject, one after the other, and fills in result and facts, in
 * place.
 *
 * The same code runs in the runner (LD_PRELOAD child) and in the engine (linked Bulwark). Arena
 * memory only. It keeps one record per object (address, size, what is known of its content) and
 * owns the touch unit; it judges nothing. An address that the subject hands out is tested against
 * arena, stacks and images before anything writes through it. */
#ifndef ASSAY_EXECUTOR_H
#define ASSAY_EXECUTOR_H

#include "traces/core/arena.h"
#include "traces/runner/assay_subject.h"
#include "traces/sink.h"

enum assay_touch { ASSAY_TOUCH_NONE, ASSAY_TOUCH_RECORDED, ASSAY_TOUCH_PAGE, ASSAY_TOUCH_FULL };

/* One total order by one thread; the trace's threads, ordered where an object crosses them; or one
 * total order, each op by its own thread and process (turns.h). */
enum assay_order { ASSAY_ORDER_SERIAL, ASSAY_ORDER_PARTIAL, ASSAY_ORDER_TURNS };

struct assay_mapping_line;

struct assay_executor_config {
    const struct assay_subject *subject;
    enum assay_touch touch;
    bool content_full;    /* touch objects whole up to ASSAY_TOUCH_WHOLE_MAX */
    bool ask_usable;      /* ask malloc_usable_size after each success (if the subject has it) */
    bool usable_writable; /* also fill and verify [requested, usable) */
    uint32_t max_objects; /* highest object number in a program */
    uint64_t seed;        /* of the patterns */
    _Atomic uint64_t *progress;         /* op index is stored here before each op; may be NULL */
    struct assay_mapping_line *mapping; /* where REFUSE ops write; NULL: they are skipped */
};

struct assay_executor;

size_t assay_executor_bytes(const struct assay_executor_config *config);
/* What a stream from an executor of this configuration has (ASSAY_HAS_* bits); accesses, callers
 * and time are the source's affair. */
uint64_t assay_executor_has(const struct assay_executor_config *config);
/* NULL if the arena is too small. */
struct assay_executor *assay_executor_create(struct assay_arena *arena,
                                             const struct assay_executor_config *config);
/* No result may lie in [base, base + bytes): the caller's arenas and shared memory. The executor's
 * own arena, stacks and images of the process are known to it. */
void assay_executor_forbid(struct assay_executor *executor, const void *base, size_t bytes);
/* Bit per enum assay_op: APIs that the subject lacks. */
uint64_t assay_executor_missing(const struct assay_subject *subject);
/* Executes events[0..n) in order; sink may be NULL. Extra EVIDENCE events go to the sink only
 * (their site: the index in events of the op they follow). Ops whose API is missing get
 * ASSAY_FLAG_SKIPPED; ops on objects that such a skip left unborn are skipped too. */
void assay_executor_run(struct assay_executor *executor, struct assay_event *events, size_t n,
                        const struct assay_sink *sink);
/* The same for events[from..to) of a longer row, of which events[0] is op number base of its
 * program. */
void assay_executor_run_part(struct assay_executor *executor, struct assay_event *events,
                             size_t from, size_t to, uint64_t base, const struct assay_sink *sink);
/* Frees the object, if it lives, by no op. */
void assay_executor_drop(struct assay_executor *executor, uint32_t object);
/* The same, and it was never born: ops on it are skipped until it is again. */
void assay_executor_drop_unborn(struct assay_executor *executor, uint32_t object);
/* Verifies every live object, then calls sink->end. */
void assay_executor_finish(struct assay_executor *executor, const struct assay_sink *sink);
/* Frees every live object (not through the sink), calls subject->reset, starts anew with op index
 * 0. */
void assay_executor_reset(struct assay_executor *executor, uint64_t seed);
/* As reset, but without calling the subject: for a heap that was destroyed, or left by longjmp. */
void assay_executor_forget(struct assay_executor *executor, uint64_t seed);

/* For parallel.c and turns.c: an executor for a further thread. reserve takes its memory and does
 * not touch it (NULL: the arena is too small); share makes it one that shares base's objects, again
 * where it was used before. Concurrent executors keep no list of live objects and sweep none; ops
 * on one object must not meet. rejoin tells base what numbers the other used. */
size_t assay_executor_shared_bytes(void);
struct assay_executor *assay_executor_reserve(struct assay_arena *arena);
void assay_executor_share(struct assay_executor *executor, const struct assay_executor *base);
void assay_executor_make_concurrent(struct assay_executor *executor);
/* From now on these functions are called in place of the subject's; no function more or less. */
void assay_executor_call_through(struct assay_executor *executor, const struct assay_subject *to);
/* From now on it calls, and looks at nothing. */
void assay_executor_touch_nothing(struct assay_executor *executor);
void assay_executor_rejoin(struct assay_executor *base, const struct assay_executor *other);

#endif

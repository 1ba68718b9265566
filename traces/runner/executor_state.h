/* The executor's insides: what its files share. executor.c runs ops, executor_life.c makes and
 * forgets, executor_place.c turns operands into pointers, executor_evidence.c says what damage
 * looks like, executor_access.c accesses objects and executor_objects.h keeps them,
 * executor_walk.c compares a heap walk with them. Nobody else includes this. */
#ifndef ASSAY_EXECUTOR_STATE_H
#define ASSAY_EXECUTOR_STATE_H

#include <stdatomic.h>

#include "traces/runner/crash.h"
#include "traces/runner/executor.h"
#include "traces/runner/ranges.h"
#include "traces/runner/touch.h"

#define PROBABLY(x) __builtin_expect(!!(x), 1)
#define HARDLY(x)   __builtin_expect(!!(x), 0)

enum { EVIDENCE_MAX = 8 }; /* per op */

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

/* An object as a heap walk is compared with it. */
struct walked {
    uintptr_t address;
    uint32_t object, seen;
};

enum phase { PHASE_IDLE, PHASE_BEFORE, PHASE_CALL, PHASE_AFTER, PHASE_SWEEP };

struct assay_executor {
    struct record *records; /* by object number; [0] unused */
    struct run *runs;
    uint32_t *live;
    struct walked *walked; /* room for all objects, twice; NULL where the subject offers no walk */
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
    char *own; /* the arena: not the subject's memory */
    size_t own_bytes;
    struct assay_mapping_line *mapping;
    bool limited, refusing; /* by LIMIT and REFUSE ops */
    uint32_t refusals;      /* where limited, in all */
    uint64_t former_limit;  /* where limited: the one that stood before */
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

/* READ, WRITE and STORE at the op's operand; a fault comes back to run(). */
void assay_executor_access(struct assay_executor *ex, struct assay_event *event);
/* executor_system.c: of a request that was refused with ENOMEM, whether the system has mappings
 * left (ASSAY_FACT_FOREIGN of a null pointer). */
void assay_executor_refused(struct assay_executor *ex, struct assay_event *event);
/* The same: ops that ask the system, or tell it something. False: it cannot be done here.
 */
bool assay_executor_system(struct assay_executor *ex, struct assay_event *event);
/* The same: requests and releases that nobody looks at one by one; a foreign address ends them
 * (ASSAY_FACT_FOREIGN failed). */
void assay_executor_turnover(struct assay_executor *ex, struct assay_event *event);
/* Takes back what such ops have left in force. */
void assay_executor_system_restore(struct assay_executor *ex);
/* The address of an operand that is no object's. */
char *assay_executor_place(struct assay_executor *ex, const struct assay_event *event,
                           uint64_t offset);
/* Walks the subject's heap; value and wrong_at say what it showed wrongly. Not where content is not
 * tracked op by op (concurrent executors). */
void assay_executor_walk(struct assay_executor *ex, struct assay_event *event);
/* A fact about an object is wrong: set in the event in progress, with an EVIDENCE event behind it.
 */
void assay_executor_evidence(struct assay_executor *ex, enum assay_fact fact, uint32_t object,
                             uint64_t offset, uint64_t expected, uint64_t seen, uint32_t owner);
/* The content [offset, end) of an object is not what it should be: evidence with what stands there
 * and whose pattern that is. The object's content is unknown from here on. */
void assay_executor_damage(struct assay_executor *ex, enum assay_fact fact,
                           const struct assay_content *content, uint32_t object, uint64_t offset,
                           uint64_t end, uint64_t expected);

#endif

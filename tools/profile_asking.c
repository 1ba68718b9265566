/* The child that probes ask. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/profile_probe.h"
#include "traces/core/clock.h"

enum { MAX_OBJECTS = 1 << 18, HANG_MS = 5000, HANG_AGAIN_MS = 500 };

static uint32_t hang_ms(const struct assay_measuring *measure)
{
    uint64_t most = measure->hung ? HANG_AGAIN_MS : HANG_MS, now = assay_now_ns();
    uint64_t left = measure->probe_until_ns > now ? (measure->probe_until_ns - now) / 1000000 : 0;
    return (uint32_t)(left < most ? left + 1 : most);
}

void assay_asking_begin(struct assay_asking *asking, struct assay_measuring *measure)
{
    memset(asking, 0, sizeof *asking);
    asking->measure = measure;
    asking->config = (struct assay_session_config){.subject = measure->config.spec,
                                                   .environment.order = ASSAY_ORDER_SERIAL,
                                                   .touch = ASSAY_TOUCH_RECORDED,
                                                   .want_results = true,
                                                   .seed = measure->config.seed,
                                                   .max_objects = MAX_OBJECTS,
                                                   .hang_ms = hang_ms(measure)};
}

const char *assay_asking_call(const struct assay_event *op, char *ret_text, size_t room)
{
    const char *name = assay_op_info(op->kind)->name;
    uint64_t arg = op->arg;
    switch (op->kind) {
    case ASSAY_OP_CALLOC:
        snprintf(ret_text, room, "%s(%" PRIu64 ", %" PRIu64 ")", name, arg, op->size);
        break;
    case ASSAY_OP_REALLOC:
        snprintf(ret_text, room, "%s(%s, %" PRIu64 ")", name, op->object ? "p" : "NULL", op->size);
        break;
    case ASSAY_OP_REALLOCARRAY:
        snprintf(ret_text, room, "%s(%s, %" PRIu64 ", %" PRIu64 ")", name,
                 op->object ? "p" : "NULL", arg, op->size);
        break;
    case ASSAY_OP_ALIGNED_ALLOC:
    case ASSAY_OP_POSIX_MEMALIGN:
    case ASSAY_OP_MEMALIGN:
        snprintf(ret_text, room, "%s(%" PRIu64 ", %" PRIu64 ")", name, arg, op->size);
        break;
    case ASSAY_OP_FREE: snprintf(ret_text, room, "%s(p)", name); break;
    default: snprintf(ret_text, room, "%s(%" PRIu64 ")", name, op->size); break;
    }
    return ret_text;
}

static void note_end(struct assay_asking *asking, const struct assay_event *op)
{
    struct assay_session_status status;
    char call[80];
    assay_session_wait(asking->session, &status);
    assay_asking_call(op, call, sizeof call);
    switch (status.state) {
    case ASSAY_SESSION_CRASHED:
        snprintf(asking->end, sizeof asking->end, "%s ends the process with signal %d", call,
                 status.signal);
        break;
    case ASSAY_SESSION_HUNG:
        snprintf(asking->end, sizeof asking->end, "%s does not come back", call);
        asking->measure->hung = true;
        asking->measure->late |= assay_now_ns() >= asking->measure->probe_until_ns;
        break;
    case ASSAY_SESSION_MEMORY:
        snprintf(asking->end, sizeof asking->end, "%s takes all memory", call);
        break;
    case ASSAY_SESSION_OVERWRITTEN:
        snprintf(asking->end, sizeof asking->end, "%s damages the rig's memory", call);
        break;
    default: snprintf(asking->end, sizeof asking->end, "%s ends the process", call); break;
    }
    asking->gone = true;
}

bool assay_asking_run(struct assay_asking *asking, struct assay_event *ops, size_t n)
{
    struct assay_error err = {0};
    if (asking->gone)
        return false;
    if (assay_now_ns() >= asking->measure->probe_until_ns) {
        asking->measure->late = asking->gone = true;
        snprintf(asking->end, sizeof asking->end, "time is up");
        return false;
    }
    if (!asking->session && assay_session_start(&asking->config, &asking->session, &err) < 0) {
        asking->gone = true;
        asking->session = NULL;
        snprintf(asking->end, sizeof asking->end, "%.150s", err.text);
        snprintf(asking->measure->failed, sizeof asking->measure->failed, "%s", asking->end);
        return false;
    }
    for (size_t from = 0; from < n;) {
        size_t capacity, got = 0, some = n - from;
        struct assay_event *chunk = assay_session_chunk(asking->session, &capacity);
        if (!chunk) {
            note_end(asking, &ops[from]);
            return false;
        }
        some = some < capacity ? some : capacity;
        memcpy(chunk, ops + from, some * sizeof *ops);
        assay_session_submit(asking->session, some, false);
        const struct assay_event *results = assay_session_collect(asking->session, &got);
        if (results) {
            got = got < some ? got : some;
            memcpy(ops + from, results, got * sizeof *ops);
            assay_session_release(asking->session);
        }
        bool whole = results && got == some &&
                     ops[from + got - 1].flags & (ASSAY_FLAG_EXECUTED | ASSAY_FLAG_SKIPPED);
        if (!whole) {
            note_end(asking, &ops[from + got - (got > 0)]);
            return false;
        }
        from += some;
    }
    asking->measure->asked += n;
    return true;
}

bool assay_asking_op(struct assay_asking *asking, struct assay_event *op)
{
    if (assay_event_bears(op))
        op->born = ++asking->objects;
    return assay_asking_run(asking, op, 1);
}

bool assay_asking_lacks(const struct assay_asking *asking, enum assay_op kind)
{
    return asking->measure->config.spec->missing_apis >> kind & 1;
}

void assay_asking_end(struct assay_asking *asking)
{
    if (asking->session)
        assay_session_close(asking->session);
    asking->session = NULL;
}

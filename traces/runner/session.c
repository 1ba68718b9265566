#include "traces/runner/session_state.h"

static bool is_guard(const unsigned char *bytes)
{
    for (size_t i = 0; i < ASSAY_SESSION_GUARD_BYTES; i++)
        if (bytes[i] != ASSAY_SESSION_GUARD)
            return false;
    return true;
}

/* What the host alone writes must stand as it wrote it, and the runner cannot be ahead. */
static bool overwritten(const struct assay_session *session)
{
    const struct assay_shared *shared = session->shared;
    uint32_t first =
        session->submitted > ASSAY_SHARED_CHUNKS ? session->submitted - ASSAY_SHARED_CHUNKS : 0;
    if (shared->magic != ASSAY_SHARED_MAGIC || shared->bytes != session->shared_bytes ||
        shared->seed != session->config.seed || shared->report_offset != session->report_offset ||
        shared->chunks_offset != session->chunks_offset ||
        atomic_load(&shared->submitted) != session->submitted ||
        (int32_t)(atomic_load(&shared->executed) - session->submitted) > 0 ||
        !is_guard(assay_session_guard(session, session->chunks_offset)) ||
        !is_guard(assay_session_guard(session, session->shared_bytes)))
        return true;
    if (session->config.environment.order == ASSAY_ORDER_PARTIAL)
        return false; /* there the runner rewrites its chunks */
    for (uint32_t i = first; i != session->submitted; i++) {
        const struct assay_chunk *chunk = assay_session_chunk_at(session, i);
        if (chunk->count != session->counts[i % ASSAY_SHARED_CHUNKS] ||
            chunk->last_of_program != session->lasts[i % ASSAY_SHARED_CHUNKS])
            return true;
    }
    return false;
}

int assay_session_check(struct assay_session *session, struct assay_error *err)
{
    if (session->status.state != ASSAY_SESSION_OVERWRITTEN && overwritten(session)) {
        if (session->pid > 0)
            assay_session_kill(session, ASSAY_SESSION_OVERWRITTEN);
        session->status.state = ASSAY_SESSION_OVERWRITTEN;
    }
    if (session->status.state != ASSAY_SESSION_OVERWRITTEN)
        return 0;
    return assay_fail(err, ASSAY_E_SUBJECT,
                      "the subject '%s' wrote into the memory of its runner: nothing that it "
                      "answered can be judged; run a small program on it under valgrind or a "
                      "debugger",
                      session->subject.name);
}

struct assay_event *assay_session_chunk(struct assay_session *session, size_t *ret_capacity)
{
    /* in partial order a chunk is rewritten with resizes as two halves */
    *ret_capacity = session->config.environment.order == ASSAY_ORDER_PARTIAL
                        ? ASSAY_CHUNK_EVENTS / 2
                        : ASSAY_CHUNK_EVENTS;
    if (session->submitted >= ASSAY_SHARED_CHUNKS) {
        uint32_t needed = session->submitted - ASSAY_SHARED_CHUNKS + 1;
        /* with results a chunk is free once it was collected: that is the caller's turn */
        if (session->config.want_results && (int32_t)(session->collected - needed) < 0)
            return NULL;
        if (!assay_session_wait_for(session, needed))
            return NULL;
    }
    if (assay_session_gone(session) || assay_session_check(session, NULL) < 0)
        return NULL;
    return assay_session_chunk_at(session, session->submitted)->events;
}

void assay_session_submit(struct assay_session *session, size_t n, bool last_of_program)
{
    struct assay_shared *shared = session->shared;
    struct assay_chunk *chunk = assay_session_chunk_at(session, session->submitted);
    chunk->count = (uint32_t)n;
    chunk->retold = 0;
    chunk->last_of_program = last_of_program;
    session->counts[session->submitted % ASSAY_SHARED_CHUNKS] = chunk->count;
    session->lasts[session->submitted % ASSAY_SHARED_CHUNKS] = chunk->last_of_program;
    session->op_base[session->submitted % ASSAY_SHARED_CHUNKS] = session->program_ops;
    session->program_ops = last_of_program ? 0 : session->program_ops + n;
    atomic_store(&shared->submitted, ++session->submitted);
    if (atomic_load(&shared->runner_sleeps))
        assay_futex_wake(&shared->submitted);
}

const struct assay_event *assay_session_collect(struct assay_session *session, size_t *ret_n)
{
    *ret_n = 0;
    if (session->collecting || session->collected == session->submitted)
        return NULL;
    struct assay_chunk *chunk = assay_session_chunk_at(session, session->collected);
    bool whole = assay_session_wait_for(session, session->collected + 1);
    if (assay_session_check(session, NULL) < 0)
        return NULL;
    uint32_t count = chunk->count < ASSAY_CHUNK_EVENTS ? chunk->count : ASSAY_CHUNK_EVENTS;
    if (whole || chunk->retold) {
        *ret_n = count;
    } else if (atomic_load(&session->shared->executed) == session->collected) {
        uint64_t base = session->op_base[session->collected % ASSAY_SHARED_CHUNKS];
        uint64_t at = session->status.op_index;
        uint64_t n = at >= base ? at - base + 1 : 0; /* with the op in progress */
        *ret_n = n < count ? (size_t)n : count;
        if (*ret_n == 0)
            return NULL;
    } else {
        return NULL;
    }
    session->collecting = true;
    session->collected_events = *ret_n;
    return chunk->events;
}

const struct assay_event *assay_session_evidence(struct assay_session *session, size_t *ret_n)
{
    *ret_n = 0;
    if (!session->collecting)
        return NULL;
    const struct assay_chunk *chunk = assay_session_chunk_at(session, session->collected);
    *ret_n =
        chunk->evidence_count < ASSAY_CHUNK_EVIDENCE ? chunk->evidence_count : ASSAY_CHUNK_EVIDENCE;
    return chunk->evidence;
}

static void give(const struct assay_sink *sink, const struct assay_event *event)
{
    if (sink->after)
        sink->after(sink->self, event);
}

void assay_session_feed(struct assay_session *session, const struct assay_sink *sink)
{
    if (!session->collecting)
        return;
    const struct assay_chunk *chunk = assay_session_chunk_at(session, session->collected);
    size_t evidence_count, at = 0;
    const struct assay_event *evidence = assay_session_evidence(session, &evidence_count);
    const struct assay_event *events = chunk->events;
    for (size_t i = 0; i < session->collected_events; i++) {
        bool unheard = events[i].flags & (ASSAY_FLAG_BEGIN | ASSAY_FLAG_LIBRARY);
        bool turns = session->config.environment.order == ASSAY_ORDER_TURNS;
        if (unheard && !turns && !(events[i].flags & ASSAY_FLAG_EXECUTED))
            continue;
        /* ops of a loop pass by as what was skipped does: none is missing when they are counted */
        bool skipped = events[i].flags & (ASSAY_FLAG_SKIPPED | (turns ? ASSAY_FLAG_LIBRARY : 0));
        if (session->config.environment.order == ASSAY_ORDER_PARTIAL && !skipped &&
            !(events[i].flags & ASSAY_FLAG_EXECUTED) && !chunk->retold)
            return; /* which of the threads' ops it was is not known */
        if (!skipped && sink->before)
            sink->before(sink->self, &events[i]);
        if (!skipped && !(events[i].flags & ASSAY_FLAG_EXECUTED))
            return; /* in progress: its end is the crash's affair */
        give(sink, &events[i]);
        while (at < evidence_count && evidence[at].site <= i)
            give(sink, &evidence[at++]);
    }
    while (at < evidence_count)
        give(sink, &evidence[at++]);
    bool whole = (int32_t)(atomic_load(&session->shared->executed) - session->collected) > 0;
    if (chunk->last_of_program && whole && sink->end)
        sink->end(sink->self);
}

void assay_session_release(struct assay_session *session)
{
    if (session->collecting)
        session->collected++;
    session->collecting = false;
}

void assay_session_wait(struct assay_session *session, struct assay_session_status *ret_status)
{
    struct assay_shared *shared = session->shared;
    bool done = assay_session_wait_for(session, session->submitted);
    assay_session_check(session, NULL);
    struct assay_session_status *status = &session->status;
    assay_session_read_stderr(session);
    status->executed = atomic_load(&shared->executed_ops);
    status->skipped = atomic_load(&shared->skipped_ops);
    status->library_calls = atomic_load(&shared->library_calls);
    status->frozen = session->config.frozen && shared->frozen;
    if (session->supervisor)
        assay_supervisor_look(session->supervisor, &status->supervision);
    uint64_t events = atomic_load(&shared->run_events);
    double ns = events ? (double)atomic_load(&shared->run_ns) / (double)events : 0;
    if (session->config.bare_loop)
        status->bare_ns_per_event = ns;
    else
        status->ns_per_event = ns;
    uint64_t peak = atomic_load(&shared->peak_rss_bytes);
    status->peak_rss_bytes = peak > session->peak_rss ? peak : session->peak_rss;
    *ret_status = *status;
    if (done && ret_status->state == ASSAY_SESSION_RUNNING && session->submitted > 0)
        ret_status->state = ASSAY_SESSION_ENDED;
}

const void *assay_session_report(const struct assay_session *session)
{
    return (const char *)session->shared + session->report_offset;
}

int assay_session_pid(const struct assay_session *session)
{
    return (int)session->pid;
}

const struct assay_crash_capture *assay_session_crash(const struct assay_session *session)
{
    const struct assay_crash_capture *capture = &session->shared->crash.capture;
    return atomic_load(&capture->whole) ? capture : NULL;
}

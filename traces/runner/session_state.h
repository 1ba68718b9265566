/* A session's insides: what its files share. session_start.c makes and ends one, session_watch.c
 * looks after the child, session.c passes chunks. Nobody else includes this. */
#ifndef ASSAY_SESSION_STATE_H
#define ASSAY_SESSION_STATE_H

#include <sys/types.h>
#include <time.h>

#include "traces/runner/session.h"
#include "traces/runner/shared.h"
#include "traces/runner/supervise.h"

enum {
    ASSAY_SESSION_START_MS = 20000, /* to load the subject and set up */
    ASSAY_SESSION_GUARD_BYTES = 64,
    ASSAY_SESSION_GUARD = 0xa5
};

struct assay_session {
    struct assay_session_config config;
    struct assay_subject_spec subject;
    struct assay_shared *shared;
    size_t shared_bytes, report_offset, chunks_offset; /* not what the child may make of them */
    pid_t pid, watched; /* watched: whose ops are in progress, pid or its forked child */
    int stderr_fd, statm_fd, stat_fd, path_fd;
    bool frozen;
    struct assay_supervisor *supervisor;
    uint32_t submitted, collected; /* chunks */
    bool collecting;
    size_t collected_events;
    uint64_t program_ops, op_base[ASSAY_SHARED_CHUNKS]; /* op index at each chunk's start */
    uint32_t counts[ASSAY_SHARED_CHUNKS], lasts[ASSAY_SHARED_CHUNKS]; /* as submitted */
    struct assay_session_status status;
    /* the watchdog's memory */
    uint64_t seen_progress, peak_rss;
    uint32_t seen_executed;
    uint64_t seen_cpu_ns, next_statm_ns;
    uint64_t looked_ns, stalled_ns, blocked_ns; /* last look; without progress; of it waiting */
    uint64_t stopped_ns;                        /* how long it was seen stopped; 0: it is not */
};

/* Behind the report and behind the chunks stand bytes that nobody has a reason to touch. */
static inline unsigned char *assay_session_guard(const struct assay_session *session, size_t offset)
{
    return (unsigned char *)session->shared + offset - ASSAY_SESSION_GUARD_BYTES;
}

static inline struct assay_chunk *assay_session_chunk_at(const struct assay_session *session,
                                                         uint32_t number)
{
    struct assay_chunk *chunks =
        (struct assay_chunk *)(void *)((char *)session->shared + session->chunks_offset);
    return &chunks[number % ASSAY_SHARED_CHUNKS];
}

static inline bool assay_session_gone(const struct assay_session *session)
{
    return session->status.state != ASSAY_SESSION_RUNNING;
}

/* Fills status.stderr_*. */
void assay_session_read_stderr(struct assay_session *session);
/* Ends the child, and the session in this state. */
void assay_session_kill(struct assay_session *session, enum assay_session_state state);
/* One look at the child: has it ended, grown too large, or does it hang? */
void assay_session_look(struct assay_session *session);
/* Until `executed` has passed `count` chunks, or the child is gone: false. */
bool assay_session_wait_for(struct assay_session *session, uint32_t count);

#endif

/* A session: the host's side of a runner. Spawns assay-runner under LD_PRELOAD, feeds it ops in
 * chunks through shared memory, watches it from outside, collects results, and survives whatever
 * the subject does.
 *
 * Host only. Knows no oracle: what the runner's judge needs (its configuration) and says (its
 * report) are blobs whose meaning tools/ knows (tools/judge_blob.h). Order of a chunk's life: fill
 * (host) -> execute in place (runner) -> collect (host; only with want_results) -> free again. */
#ifndef ASSAY_SESSION_H
#define ASSAY_SESSION_H

#include "traces/event.h"
#include "traces/runner/bindings.h"
#include "traces/runner/crash_capture.h"
#include "traces/runner/environment.h"
#include "traces/runner/supervise.h"

struct assay_session;

/* What --subject says, resolved. Strings are owned by the struct (fixed buffers). */
struct assay_subject_spec {
    char name[64];         /* "glibc", "jemalloc", file name without lib and .so */
    char path[4096];       /* library to preload, "" for glibc */
    char build_id[48];     /* hex, "" if none */
    bool adapter;          /* defines assay_subject */
    uint64_t missing_apis; /* bit per enum assay_op, from its exports */
    struct assay_bindings bindings;
    struct assay_subject_names names; /* symbols of those that are bound by their place */
};
/* bulwark | glibc | jemalloc | mimalloc | tcmalloc | scudo | a path | adapter:FILE.c (compiled with
 * cc into a temporary folder). Errors: ASSAY_E_NOT_FOUND, ASSAY_E_SUBJECT (no malloc exported, not
 * an ELF shared object of this machine). */
int assay_subject_find(const char *text, struct assay_subject_spec *ret_spec,
                       struct assay_error *err);

/* The same for a subject whose profile names its functions; names NULL: the usual ones. */
int assay_subject_find_named(const char *text, const struct assay_subject_names *names,
                             struct assay_subject_spec *ret_spec, struct assay_error *err);

/* What stands before both "malloc" and "free" in the names of a library's functions; false if
 * nothing does. Of several the shortest. */
bool assay_subject_prefix(const char *path, char ret_prefix[ASSAY_PREFIX_BYTES]);

/* Starts a child once and asks what the subject's table lacks (adapters: exports do not tell). */
int assay_subject_probe(struct assay_subject_spec *spec, struct assay_error *err);

struct assay_session_config {
    const struct assay_subject_spec *subject;
    struct assay_environment environment;
    enum assay_touch touch;
    bool content_full, ask_usable, usable_writable;
    bool judge;        /* run the runner's own judge */
    bool want_results; /* hand executed events back to the host */
    bool frozen;       /* address-space randomisation off, random bytes answered from seed */
    bool bare_loop;    /* execute nothing but a bare loop of the same calls, for overhead_ns; no
                          results, no judge */
    bool prefault; /* the tables' pages before the first op, not at it (when most numbers occur) */
    uint64_t seed;
    uint32_t max_objects;
    uint64_t memory_bytes; /* 0 = no limit; the child is killed beyond it */
    uint32_t hang_ms;      /* in one op for so long, running or waiting = hang; 0 = 2000 */
    const void *blob;      /* judge configuration, copied into shared memory */
    size_t blob_bytes;
    size_t report_bytes; /* size of the judge's report area */
};

enum assay_session_state {
    ASSAY_SESSION_RUNNING,
    ASSAY_SESSION_ENDED,   /* all ops executed, finished */
    ASSAY_SESSION_CRASHED, /* signal in the subject */
    ASSAY_SESSION_HUNG,
    ASSAY_SESSION_MEMORY,
    ASSAY_SESSION_EXITED,      /* the subject called exit, or never came up */
    ASSAY_SESSION_OVERWRITTEN, /* somebody wrote into what host and runner share */
};

struct assay_session_status {
    enum assay_session_state state;
    int signal, exit_code;
    uint64_t op_index;      /* op in progress when it ended, counted over the program */
    uint64_t crash_address; /* si_addr */
    uint64_t crash_pc;
    char stderr_text[4096]; /* first bytes of what the child wrote to stderr */
    uint64_t stderr_bytes;  /* how much it wrote */
    uint64_t executed, skipped, library_calls;
    double ns_per_event, bare_ns_per_event; /* 0 if not measured */
    uint64_t peak_rss_bytes;
    bool frozen; /* layout and the C library's random functions really were frozen */
    struct assay_supervision supervision; /* and what the subject asked of the kernel */
};

/* All was frozen that can be: layout, random functions, system calls for random bytes. */
static inline bool assay_session_frozen(const struct assay_session_status *status)
{
    return status->frozen && status->supervision.works;
}

/* Errors: ASSAY_E_UNSUPPORTED for failing mapping calls in partial order; ASSAY_E_SYSTEM and others
 * when there is no child. */
int assay_session_start(const struct assay_session_config *config,
                        struct assay_session **ret_session, struct assay_error *err);
/* Waits until the subject is loaded and set up; optional. Errors: ASSAY_E_SUBJECT when it died,
 * hung, exited or refused before the first op, with what it wrote. */
int assay_session_ready(struct assay_session *session, uint64_t *ret_missing,
                        struct assay_error *err);
/* Room for ops: returns a chunk to fill and its capacity; blocks while all chunks are in use. NULL:
 * the child is gone, or (with want_results) all chunks wait to be collected. */
struct assay_event *assay_session_chunk(struct assay_session *session, size_t *ret_capacity);
/* Hands the n filled events of the chunk to the runner. last_of_program: finish (verify all, judge
 * end) and reset after. */
void assay_session_submit(struct assay_session *session, size_t n, bool last_of_program);
/* With want_results: the next executed chunk, in order; NULL when none is outstanding or the child
 * is gone (then partial results of the chunk that was running: *ret_n counts what was executed, the
 * last may be in progress). Release it with assay_session_release before the next. EVIDENCE events
 * are in the chunk's own evidence list: in order, site = index of the op that each follows; site =
 * n: from the check at the program's end, whose CHECK event, if it failed, is in the list too. */
const struct assay_event *assay_session_collect(struct assay_session *session, size_t *ret_n);
const struct assay_event *assay_session_evidence(struct assay_session *session, size_t *ret_n);
/* Gives the collected chunk to a sink as the runner gave it to its own: each op, then its evidence;
 * an op that was in progress when the child ended only to before(). Calls end() behind the last op
 * of a program. */
void assay_session_feed(struct assay_session *session, const struct assay_sink *sink);
void assay_session_release(struct assay_session *session);
/* Waits until everything submitted is executed or the child is gone. */
void assay_session_wait(struct assay_session *session, struct assay_session_status *ret_status);
/* ASSAY_E_SUBJECT if what host and runner share was overwritten, which only a subject gone wild
 * does: then neither results nor report nor figures of this child mean anything. */
int assay_session_check(struct assay_session *session, struct assay_error *err);
/* What the child has written to its standard error so far, without waiting: returns how many bytes,
 * and the text from byte `from` on, as much as fits. */
uint64_t assay_session_said(const struct assay_session *session, uint64_t from, char *ret_text,
                            size_t bytes);
/* The judge's report area (report_bytes), valid until close. Readable while the child runs. */
const void *assay_session_report(const struct assay_session *session);
/* The child's process id, for /proc; 0 when it is gone. */
int assay_session_pid(const struct assay_session *session);
/* What the child's handler took when a signal ended it; NULL if none did, or it could not. Shared
 * memory, valid until close: copy it, then bound everything. */
const struct assay_crash_capture *assay_session_crash(const struct assay_session *session);
/* Kills the child if it still runs; frees everything. */
void assay_session_close(struct assay_session *session);

#endif

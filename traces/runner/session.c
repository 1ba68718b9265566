#include "traces/runner/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traces/runner/shared.h"
#include "traces/runner/spawn.h"

enum {
    GUARD_BYTES = 64,
    STDERR_BYTES = 1 << 20,     /* more than this a child cannot write */
    START_MS = 20000,           /* to load the subject and set up */
    SLICE_NS = 4 * 1000 * 1000, /* between two looks at a child that is waited for, */
    REAP_NS = 100 * 1000,       /* and at one that is about to end */
    LOOK_NS = 50 * 1000 * 1000, /* a longer time without a look says nothing about the child */
    STILL_NS = 20 * 1000 * 1000 /* from here on it is asked whether a child waits */
};
#define STARVED_NS UINT64_C(10000000000)

#define GUARD 0xa5

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
};

static struct assay_chunk *chunk_at(const struct assay_session *session, uint32_t number)
{
    struct assay_chunk *chunks =
        (struct assay_chunk *)(void *)((char *)session->shared + session->chunks_offset);
    return &chunks[number % ASSAY_SHARED_CHUNKS];
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t cpu_ns(pid_t pid)
{
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? now_ns(clock) : 0;
}

/* ---- start ---------------------------------------------------------------------------------- */

static size_t page_up(size_t bytes)
{
    return (bytes + 4095) & ~(size_t)4095;
}

/* Behind the report and behind the chunks stand bytes that nobody has a reason to touch. */
static unsigned char *guard_before(const struct assay_session *session, size_t offset)
{
    return (unsigned char *)session->shared + offset - GUARD_BYTES;
}

static int make_shared(struct assay_session *session, int *ret_fd, struct assay_error *err)
{
    const struct assay_session_config *config = &session->config;
    size_t blob = page_up(sizeof(struct assay_shared));
    size_t report = blob + page_up(config->blob_bytes);
    size_t chunks = report + page_up(config->report_bytes + GUARD_BYTES);
    size_t bytes = chunks + page_up(ASSAY_SHARED_CHUNKS * sizeof(struct assay_chunk) + GUARD_BYTES);
    int fd = memfd_create("assay", MFD_CLOEXEC);
    if (fd < 0)
        return assay_fail_errno(err, "cannot create shared memory");
    if (ftruncate(fd, (off_t)bytes) != 0) {
        int code = assay_fail_errno(err, "cannot size shared memory to %zu bytes", bytes);
        close(fd);
        return code;
    }
    struct assay_shared *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) {
        int code = assay_fail_mapping(err, "shared memory", bytes);
        close(fd);
        return code;
    }
    shared->magic = ASSAY_SHARED_MAGIC;
    shared->bytes = bytes;
    shared->touch = config->touch;
    shared->order = config->environment.order;
    shared->max_objects = config->max_objects;
    shared->content_full = config->content_full;
    shared->ask_usable = config->ask_usable;
    shared->usable_writable = config->usable_writable;
    shared->judge = config->judge;
    shared->want_results = config->want_results;
    shared->bare = config->bare_loop;
    shared->adapter = session->subject.adapter;
    shared->frozen = config->frozen;
    shared->prefault = config->prefault;
    shared->mapping_calls = config->environment.mapping_calls;
    shared->seed = config->seed;
    shared->missing_apis = session->subject.missing_apis;
    shared->bindings = session->subject.bindings;
    shared->blob_offset = blob;
    shared->blob_bytes = config->blob_bytes;
    shared->report_offset = report;
    shared->report_bytes = config->report_bytes;
    shared->chunks_offset = chunks;
    if (config->blob_bytes)
        memcpy((char *)shared + blob, config->blob, config->blob_bytes);
    session->shared = shared;
    session->shared_bytes = bytes;
    session->report_offset = report;
    session->chunks_offset = chunks;
    memset(guard_before(session, chunks), GUARD, GUARD_BYTES);
    memset(guard_before(session, bytes), GUARD, GUARD_BYTES);
    *ret_fd = fd;
    return 0;
}

static int make_stderr(struct assay_session *session, struct assay_error *err)
{
    session->stderr_fd = memfd_create("assay-stderr", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (session->stderr_fd < 0)
        return assay_fail_errno(err, "cannot create a file in memory");
    /* of fixed size: what goes beyond is refused by the kernel */
    if (ftruncate(session->stderr_fd, STDERR_BYTES) != 0 ||
        fcntl(session->stderr_fd, F_ADD_SEALS, F_SEAL_GROW) != 0)
        return assay_fail_errno(err, "cannot bound the child's output");
    return 0;
}

int assay_session_start(const struct assay_session_config *config,
                        struct assay_session **ret_session, struct assay_error *err)
{
    int shared_fd = -1;
    struct assay_session *session = calloc(1, sizeof *session);
    if (!session)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    session->config = *config;
    session->subject = *config->subject;
    session->stderr_fd = session->statm_fd = session->stat_fd = session->path_fd = -1;
    if (session->config.hang_ms == 0)
        session->config.hang_ms = 2000;
    int code = make_shared(session, &shared_fd, err);
    if (code == 0)
        code = make_stderr(session, err);
    if (code == 0 && config->environment.mapping_calls &&
        config->environment.order != ASSAY_ORDER_SERIAL)
        code =
            assay_fail(err, ASSAY_E_UNSUPPORTED,
                       "mapping calls fail in serial order only: a thread's stack is mapped too");
    if (code == 0 && (config->frozen || config->environment.mapping_calls)) {
        const struct assay_supervise_config supervise = {.frozen = config->frozen,
                                                         .seed = config->seed,
                                                         .mapping_calls =
                                                             config->environment.mapping_calls,
                                                         .shared = session->shared};
        code = assay_supervisor_create(&supervise, &session->supervisor, err);
    }
    if (code == 0) {
        const struct assay_spawn spawn = {.preload = session->subject.path,
                                          .frozen = config->frozen,
                                          .seed = config->seed,
                                          .shared_fd = shared_fd,
                                          .output_fd = session->stderr_fd,
                                          .supervisor = session->supervisor};
        code = session->pid =
            assay_spawn_runner(&spawn, &session->path_fd, &session->shared->frozen, err);
    }
    if (session->supervisor)
        assay_supervisor_forked(session->supervisor);
    if (shared_fd >= 0)
        close(shared_fd);
    if (code < 0) {
        assay_session_close(session);
        return code;
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)session->pid);
    session->statm_fd = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)session->pid);
    session->stat_fd = open(path, O_RDONLY | O_CLOEXEC);
    session->looked_ns = now_ns(CLOCK_MONOTONIC);
    *ret_session = session;
    return 0;
}

/* ---- watching ------------------------------------------------------------------------------- */

static bool gone(const struct assay_session *session)
{
    return session->status.state != ASSAY_SESSION_RUNNING;
}

static void read_stderr(struct assay_session *session)
{
    off_t end = lseek(session->stderr_fd, 0, SEEK_CUR); /* shared with the child's descriptor */
    struct assay_session_status *status = &session->status;
    status->stderr_bytes = end > 0 ? (uint64_t)end : 0;
    size_t want = status->stderr_bytes < sizeof status->stderr_text - 1
                      ? status->stderr_bytes
                      : sizeof status->stderr_text - 1;
    ssize_t n = pread(session->stderr_fd, status->stderr_text, want, 0);
    status->stderr_text[n > 0 ? n : 0] = '\0';
}

static void end_with(struct assay_session *session, enum assay_session_state state, int wait_status)
{
    struct assay_session_status *status = &session->status;
    struct assay_shared *shared = session->shared;
    status->state = state;
    status->op_index = atomic_load(&shared->progress);
    int recorded = atomic_load(&shared->crash.signal);
    if (state == ASSAY_SESSION_EXITED && WIFSIGNALED(wait_status)) {
        status->state = ASSAY_SESSION_CRASHED;
        status->signal = WTERMSIG(wait_status);
    } else if (state == ASSAY_SESSION_EXITED && recorded != 0) {
        status->state = ASSAY_SESSION_CRASHED;
        status->signal = recorded;
        status->crash_address = shared->crash.address;
        status->crash_pc = shared->crash.pc;
    } else if (state == ASSAY_SESSION_EXITED) {
        status->exit_code = WEXITSTATUS(wait_status);
    }
    session->pid = 0;
}

static void end_by_kill(struct assay_session *session, enum assay_session_state state)
{
    int wait_status = 0;
    kill(session->pid, SIGKILL);
    while (waitpid(session->pid, &wait_status, 0) < 0 && errno == EINTR)
        continue;
    end_with(session, state, wait_status);
}

/* /proc/.../stat up to the state: "pid (name) S ppid ...". NULL: it is gone. */
static const char *read_state(int fd, char *text, size_t room)
{
    ssize_t n = fd < 0 ? -1 : pread(fd, text, room - 1, 0);
    if (n <= 0)
        return NULL;
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' ? end + 2 : NULL;
}

static const char *read_state_of(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *state = read_state(fd, text, room);
    if (fd >= 0)
        close(fd);
    return state;
}

/* Its parent; 0 if it is gone. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    const char *state = read_state_of(path, text, sizeof text);
    return state && state[0] ? (pid_t)strtol(state + 1, NULL, 10) : 0;
}

/* Who executes ops: the child, or one that it forked, for which it waits; or one of that one's. */
static pid_t executing(const struct assay_session *session)
{
    enum { DEEPEST = 64 };
    int32_t forked = atomic_load(&session->shared->forked);
    if (session->config.environment.order != ASSAY_ORDER_TURNS || forked <= 0)
        return session->pid;
    pid_t ancestor = forked;
    for (int depth = 0; depth < DEEPEST && ancestor > 1 && ancestor != session->pid; depth++)
        ancestor = parent_of(ancestor);
    return ancestor == session->pid ? forked : session->pid;
}

/* Of the second number in /proc/.../statm; 0 if it cannot be read. */
static uint64_t read_rss(int fd)
{
    char text[128], *end;
    ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    strtoull(text, &end, 10);
    return strtoull(end, NULL, 10) * 4096;
}

static void look_at_memory(struct assay_session *session, uint64_t now)
{
    enum { EVERY_NS = 10 * 1000 * 1000 };
    if (now < session->next_statm_ns)
        return;
    session->next_statm_ns = now + EVERY_NS;
    uint64_t rss = read_rss(session->statm_fd);
    pid_t pid = executing(session);
    if (pid != session->pid) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        uint64_t forked = read_rss(fd);
        rss = forked > rss ? forked : rss;
        if (fd >= 0)
            close(fd);
    }
    if (rss > session->peak_rss)
        session->peak_rss = rss;
    if (session->config.memory_bytes && rss > session->config.memory_bytes)
        end_by_kill(session, ASSAY_SESSION_MEMORY);
}

static bool all_threads_sleep(pid_t pid)
{
    char path[300], text[512];
    bool sleeping = true;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    for (const struct dirent *entry; sleeping && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)pid, entry->d_name);
        const char *state = read_state_of(path, text, sizeof text);
        sleeping = state && *state == 'S';
    }
    closedir(folder);
    return sleeping;
}

/* The child's threads sleep, all of them: no load of the machine makes them do that. */
static bool waits(const struct assay_session *session)
{
    char text[512];
    if (session->config.environment.order != ASSAY_ORDER_SERIAL)
        return all_threads_sleep(session->watched);
    const char *state = read_state(session->stat_fd, text, sizeof text);
    return state && *state == 'S';
}

/* A child hangs if for the time it burned its share of a processor, or waited. On a crowded machine
 * it may be kept from running for long, and so may we: only time in which it was looked at counts,
 * and of time in which it neither ran nor waited it takes much. */
static void look_at_progress(struct assay_session *session, uint64_t now)
{
    struct assay_shared *shared = session->shared;
    uint64_t progress = atomic_load(&shared->progress);
    uint32_t executed = atomic_load(&shared->executed);
    uint64_t passed = now - session->looked_ns < LOOK_NS ? now - session->looked_ns : LOOK_NS;
    session->looked_ns = now;
    pid_t watched = executing(session);
    if (progress != session->seen_progress || executed != session->seen_executed ||
        executed == session->submitted || watched != session->watched) {
        session->watched = watched;
        session->seen_progress = progress;
        session->seen_executed = executed;
        session->stalled_ns = session->blocked_ns = 0;
        session->seen_cpu_ns = cpu_ns(watched);
        return;
    }
    session->stalled_ns += passed;
    bool still = session->stalled_ns >= STILL_NS && waits(session);
    session->blocked_ns = still ? session->blocked_ns + passed : 0;
    bool starting = atomic_load(&shared->boot) == ASSAY_BOOT_STARTING;
    uint64_t limit = (uint64_t)(starting ? START_MS : session->config.hang_ms) * 1000000;
    uint64_t starved = 5 * limit > STARVED_NS ? 5 * limit : STARVED_NS;
    bool burned =
        session->stalled_ns >= limit && cpu_ns(watched) - session->seen_cpu_ns > limit / 2;
    if (burned || session->blocked_ns >= limit || session->stalled_ns >= starved)
        end_by_kill(session, ASSAY_SESSION_HUNG);
}

static void look(struct assay_session *session)
{
    int wait_status = 0;
    if (gone(session))
        return;
    pid_t pid = waitpid(session->pid, &wait_status, WNOHANG);
    if (pid == session->pid) {
        end_with(session, ASSAY_SESSION_EXITED, wait_status);
        return;
    }
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    look_at_memory(session, now);
    if (!gone(session))
        look_at_progress(session, now);
}

static bool is_guard(const unsigned char *bytes)
{
    for (size_t i = 0; i < GUARD_BYTES; i++)
        if (bytes[i] != GUARD)
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
        !is_guard(guard_before(session, session->chunks_offset)) ||
        !is_guard(guard_before(session, session->shared_bytes)))
        return true;
    if (session->config.environment.order == ASSAY_ORDER_PARTIAL)
        return false; /* there the runner rewrites its chunks */
    for (uint32_t i = first; i != session->submitted; i++) {
        const struct assay_chunk *chunk = chunk_at(session, i);
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
            end_by_kill(session, ASSAY_SESSION_OVERWRITTEN);
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

/* Until `executed` has passed `count` chunks, or the child is gone. */
static bool wait_for(struct assay_session *session, uint32_t count)
{
    struct assay_shared *shared = session->shared;
    for (;;) {
        for (int i = 0; i < ASSAY_SHARED_SPINS; i++) {
            if ((int32_t)(atomic_load_explicit(&shared->executed, memory_order_acquire) - count) >=
                0)
                return true;
            assay_spin();
        }
        if (gone(session))
            return false;
        uint32_t executed = atomic_load(&shared->executed);
        if ((int32_t)(executed - count) >= 0)
            return true;
        atomic_store(&shared->host_sleeps, 1);
        /* a child that recorded a crash has only to be reaped */
        long slice_ns = atomic_load(&shared->crash.signal) ? REAP_NS : SLICE_NS;
        if (atomic_load(&shared->executed) == executed)
            assay_futex_wait(&shared->executed, executed, slice_ns);
        atomic_store(&shared->host_sleeps, 0);
        if ((int32_t)(atomic_load(&shared->executed) - count) >= 0)
            return true;
        look(session);
    }
}

/* ---- chunks --------------------------------------------------------------------------------- */

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
        if (!wait_for(session, needed))
            return NULL;
    }
    if (gone(session) || assay_session_check(session, NULL) < 0)
        return NULL;
    return chunk_at(session, session->submitted)->events;
}

void assay_session_submit(struct assay_session *session, size_t n, bool last_of_program)
{
    struct assay_shared *shared = session->shared;
    struct assay_chunk *chunk = chunk_at(session, session->submitted);
    chunk->count = (uint32_t)n;
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
    struct assay_chunk *chunk = chunk_at(session, session->collected);
    bool whole = wait_for(session, session->collected + 1);
    if (assay_session_check(session, NULL) < 0)
        return NULL;
    uint32_t count = chunk->count < ASSAY_CHUNK_EVENTS ? chunk->count : ASSAY_CHUNK_EVENTS;
    if (whole) {
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
    const struct assay_chunk *chunk = chunk_at(session, session->collected);
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
    const struct assay_chunk *chunk = chunk_at(session, session->collected);
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
            !(events[i].flags & ASSAY_FLAG_EXECUTED))
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
    bool done = wait_for(session, session->submitted);
    assay_session_check(session, NULL);
    struct assay_session_status *status = &session->status;
    read_stderr(session);
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

int assay_session_ready(struct assay_session *session, uint64_t *ret_missing,
                        struct assay_error *err)
{
    struct assay_shared *shared = session->shared;
    const struct timespec nap = {0, 200000};
    uint64_t start = now_ns(CLOCK_MONOTONIC);
    while (atomic_load(&shared->boot) == ASSAY_BOOT_STARTING && !gone(session)) {
        nanosleep(&nap, NULL);
        look(session);
        if (!gone(session) && now_ns(CLOCK_MONOTONIC) - start > (uint64_t)START_MS * 1000000)
            end_by_kill(session, ASSAY_SESSION_HUNG);
    }
    const char *name = session->subject.name;
    if (atomic_load(&shared->boot) == ASSAY_BOOT_READY) {
        *ret_missing = shared->found_missing;
        return 0;
    }
    if (atomic_load(&shared->boot) == ASSAY_BOOT_FAILED)
        return assay_fail(err, ASSAY_E_SUBJECT, "cannot run the subject '%s': %.*s", name, 400,
                          shared->boot_error);
    read_stderr(session);
    const struct assay_session_status *status = &session->status;
    char how[64];
    if (status->state == ASSAY_SESSION_CRASHED)
        snprintf(how, sizeof how, "died of signal %d", status->signal);
    else if (status->state == ASSAY_SESSION_HUNG)
        snprintf(how, sizeof how, "hung");
    else if (status->state == ASSAY_SESSION_MEMORY)
        snprintf(how, sizeof how, "used more memory than it may");
    else
        snprintf(how, sizeof how, "exited with code %d", status->exit_code);
    char said[201];
    size_t length = strcspn(status->stderr_text, "\n");
    snprintf(said, sizeof said, "%.*s", (int)(length < 200 ? length : 200), status->stderr_text);
    for (char *p = said; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
            *p = '?';
    return assay_fail(err, ASSAY_E_SUBJECT, "the subject '%s' %s before the first call%s%s%s", name,
                      how, said[0] ? "; it said '" : "", said, said[0] ? "'" : "");
}

int assay_subject_probe(struct assay_subject_spec *spec, struct assay_error *err)
{
    const struct assay_session_config config = {.subject = spec};
    struct assay_session *session = NULL;
    int code = assay_session_start(&config, &session, err);
    if (code < 0 || !session)
        return code;
    code = assay_session_ready(session, &spec->missing_apis, err);
    assay_session_close(session);
    return code;
}

void assay_session_close(struct assay_session *session)
{
    if (!session)
        return;
    if (session->pid > 0)
        end_by_kill(session, ASSAY_SESSION_ENDED);
    assay_supervisor_close(session->supervisor);
    if (session->stderr_fd >= 0)
        close(session->stderr_fd);
    if (session->statm_fd >= 0)
        close(session->statm_fd);
    if (session->stat_fd >= 0)
        close(session->stat_fd);
    if (session->path_fd >= 0)
        close(session->path_fd);
    if (session->shared)
        munmap(session->shared, session->shared_bytes);
    free(session);
}

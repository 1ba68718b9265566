#include "traces/runner/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traces/runner/shared.h"

enum {
    GUARD_BYTES = 64,
    STDERR_BYTES = 1 << 20,    /* more than this a child cannot write */
    SLICE_NS = 4 * 1000 * 1000 /* between two looks at a child that is waited for */
};

#define GUARD 0xa5

struct assay_session {
    struct assay_session_config config;
    struct assay_subject_spec subject;
    struct assay_shared *shared;
    size_t shared_bytes, report_offset, chunks_offset; /* not what the child may make of them */
    pid_t pid;
    int stderr_fd, statm_fd, path_fd;
    bool frozen;
    uint32_t submitted, collected; /* chunks */
    bool collecting;
    size_t collected_events;
    uint64_t program_ops, op_base[ASSAY_SHARED_CHUNKS]; /* op index at each chunk's start */
    uint32_t counts[ASSAY_SHARED_CHUNKS], lasts[ASSAY_SHARED_CHUNKS]; /* as submitted */
    struct assay_session_status status;
    /* the watchdog's memory */
    uint64_t seen_progress, peak_rss;
    uint32_t seen_executed;
    uint64_t seen_ns, seen_cpu_ns, next_statm_ns;
};

extern char **environ;

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
        int code = assay_fail_errno(err, "cannot map %zu bytes of shared memory", bytes);
        close(fd);
        return code;
    }
    shared->magic = ASSAY_SHARED_MAGIC;
    shared->bytes = bytes;
    shared->touch = config->touch;
    shared->order = config->order;
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
    shared->seed = config->seed;
    shared->missing_apis = session->subject.missing_apis;
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

static int runner_path(char *ret_path, size_t room, struct assay_error *err)
{
    const char *chosen = getenv("ASSAY_RUNNER");
    char self[4096];
    if (chosen && *chosen) {
        snprintf(ret_path, room, "%s", chosen);
    } else {
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        if (n <= 0)
            return assay_fail_errno(err, "cannot read '/proc/self/exe'");
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        static const char *const beside[] = {"assay-runner", "../libexec/assay/assay-runner"};
        for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
            snprintf(ret_path, room, "%s/%s", self, beside[i]);
            if (access(ret_path, X_OK) == 0)
                return 0;
        }
        snprintf(ret_path, room, "%s/assay-runner", self);
    }
    if (access(ret_path, X_OK) != 0)
        return assay_fail_errno(err, "cannot run '%s'; is Assay built and installed whole?",
                                ret_path);
    return 0;
}

struct spawn {
    char runner[4200], preload[4300], frozen[64], fd_text[16];
    char *arguments[3];
    char **environment;
    int shared_fd, stderr_fd, null_fd;
    bool freeze;
    pid_t parent;
};

/* Between fork and exec: async-signal-safe calls only. */
static _Noreturn void become_runner(const struct spawn *spawn, struct assay_shared *shared)
{
    const struct rlimit no_core = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != spawn->parent)
        _exit(ASSAY_CRASH_EXIT_CODE);
    setrlimit(RLIMIT_CORE, &no_core);
    if (spawn->freeze && personality(ADDR_NO_RANDOMIZE) == -1)
        shared->frozen = 0;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int signal = 1; signal < 32; signal++)
        if (signal != SIGKILL && signal != SIGSTOP) {
            struct sigaction standard = {.sa_handler = SIG_DFL};
            sigaction(signal, &standard, NULL);
        }
    dup2(spawn->null_fd, 0);
    dup2(spawn->stderr_fd, 1);
    dup2(spawn->stderr_fd, 2);
    fcntl(spawn->shared_fd, F_SETFD, 0);
    execve(spawn->runner, spawn->arguments, spawn->environment);
    _exit(ASSAY_CRASH_EXIT_CODE);
}

static bool is_ours(const char *variable)
{
    return strncmp(variable, "LD_PRELOAD=", 11) == 0 ||
           strncmp(variable, "LD_BIND_NOW=", 12) == 0 ||
           strncmp(variable, "ASSAY_FROZEN=", 13) == 0;
}

static int make_environment(struct assay_session *session, struct spawn *spawn,
                            struct assay_error *err)
{
    size_t n = 0, used = 0;
    while (environ && environ[n])
        n++;
    spawn->environment = calloc(n + 4, sizeof *spawn->environment);
    if (!spawn->environment)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (!is_ours(environ[i]))
            spawn->environment[used++] = environ[i];
    if (session->subject.path[0]) {
        snprintf(spawn->preload, sizeof spawn->preload, "LD_PRELOAD=%s", session->subject.path);
        spawn->environment[used++] = spawn->preload;
    }
    static char bind_now[] = "LD_BIND_NOW=1";
    spawn->environment[used++] = bind_now;
    if (session->config.frozen) {
        snprintf(spawn->frozen, sizeof spawn->frozen, "ASSAY_FROZEN=%llu",
                 (unsigned long long)session->config.seed);
        spawn->environment[used++] = spawn->frozen;
    }
    return 0;
}

/* LD_PRELOAD splits at spaces and colons: such a path goes by a descriptor of this process. */
static int make_path_plain(struct assay_session *session, int *ret_fd, struct assay_error *err)
{
    *ret_fd = -1;
    if (!strpbrk(session->subject.path, " :$"))
        return 0;
    int fd = open(session->subject.path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return assay_fail_errno(err, "cannot open the subject '%s'", session->subject.path);
    snprintf(session->subject.path, sizeof session->subject.path, "/proc/%d/fd/%d", (int)getpid(),
             fd);
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

static int spawn_runner(struct assay_session *session, int shared_fd, struct assay_error *err)
{
    struct spawn *spawn = calloc(1, sizeof *spawn);
    if (!spawn)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    int code = runner_path(spawn->runner, sizeof spawn->runner, err);
    if (code < 0 || (code = make_path_plain(session, &session->path_fd, err)) < 0 ||
        (code = make_environment(session, spawn, err)) < 0)
        goto out;
    snprintf(spawn->fd_text, sizeof spawn->fd_text, "%d", shared_fd);
    static char program[] = "assay-runner";
    spawn->arguments[0] = program;
    spawn->arguments[1] = spawn->fd_text;
    spawn->shared_fd = shared_fd;
    spawn->stderr_fd = session->stderr_fd;
    spawn->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    spawn->freeze = session->config.frozen;
    spawn->parent = getpid();
    session->pid = fork();
    if (session->pid == 0)
        become_runner(spawn, session->shared);
    if (session->pid < 0)
        code = assay_fail_errno(err, "cannot start a child process");
    close(spawn->null_fd);
out:
    free(spawn->environment);
    free(spawn);
    return code;
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
    session->stderr_fd = session->statm_fd = session->path_fd = -1;
    if (session->config.hang_ms == 0)
        session->config.hang_ms = 2000;
    int code = make_shared(session, &shared_fd, err);
    if (code == 0)
        code = make_stderr(session, err);
    if (code == 0)
        code = spawn_runner(session, shared_fd, err);
    if (shared_fd >= 0)
        close(shared_fd);
    if (code < 0) {
        assay_session_close(session);
        return code;
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)session->pid);
    session->statm_fd = open(path, O_RDONLY | O_CLOEXEC);
    session->seen_ns = now_ns(CLOCK_MONOTONIC);
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

static void look_at_memory(struct assay_session *session, uint64_t now)
{
    enum { EVERY_NS = 10 * 1000 * 1000 };
    if (now < session->next_statm_ns)
        return;
    session->next_statm_ns = now + EVERY_NS;
    char text[128];
    ssize_t n = session->statm_fd < 0 ? -1 : pread(session->statm_fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return;
    text[n] = '\0';
    char *end;
    strtoull(text, &end, 10);
    uint64_t rss = strtoull(end, NULL, 10) * 4096;
    if (rss > session->peak_rss)
        session->peak_rss = rss;
    if (session->config.memory_bytes && rss > session->config.memory_bytes)
        end_by_kill(session, ASSAY_SESSION_MEMORY);
}

static void look_at_progress(struct assay_session *session, uint64_t now)
{
    struct assay_shared *shared = session->shared;
    uint64_t progress = atomic_load(&shared->progress);
    uint32_t executed = atomic_load(&shared->executed);
    if (progress != session->seen_progress || executed != session->seen_executed ||
        executed == session->submitted) {
        session->seen_progress = progress;
        session->seen_executed = executed;
        session->seen_ns = now;
        session->seen_cpu_ns = cpu_ns(session->pid);
        return;
    }
    uint64_t limit = (uint64_t)session->config.hang_ms * 1000000;
    if (now - session->seen_ns < limit)
        return;
    /* on a crowded machine a child may not have run for long: it hangs if it burned the time
     * itself, or if it was still for five times as long */
    uint64_t burned = cpu_ns(session->pid) - session->seen_cpu_ns;
    if (burned > limit / 2 || now - session->seen_ns > 5 * limit)
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
    if (session->config.order == ASSAY_ORDER_PARTIAL)
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
        if (atomic_load(&shared->executed) == executed)
            assay_futex_wait(&shared->executed, executed, SLICE_NS);
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
    *ret_capacity =
        session->config.order == ASSAY_ORDER_PARTIAL ? ASSAY_CHUNK_EVENTS / 2 : ASSAY_CHUNK_EVENTS;
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
        if (unheard && !(events[i].flags & ASSAY_FLAG_EXECUTED))
            continue;
        bool skipped = events[i].flags & ASSAY_FLAG_SKIPPED;
        if (session->config.order == ASSAY_ORDER_PARTIAL && !skipped &&
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

const struct assay_crash_capture *assay_session_crash(const struct assay_session *session)
{
    const struct assay_crash_capture *capture = &session->shared->crash.capture;
    return atomic_load(&capture->whole) ? capture : NULL;
}

int assay_session_ready(struct assay_session *session, uint64_t *ret_missing,
                        struct assay_error *err)
{
    enum { PATIENCE_MS = 20000 };
    struct assay_shared *shared = session->shared;
    const struct timespec nap = {0, 200000};
    uint64_t start = now_ns(CLOCK_MONOTONIC);
    while (atomic_load(&shared->boot) == ASSAY_BOOT_STARTING && !gone(session)) {
        nanosleep(&nap, NULL);
        look(session);
        if (!gone(session) && now_ns(CLOCK_MONOTONIC) - start > (uint64_t)PATIENCE_MS * 1000000)
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
    if (session->stderr_fd >= 0)
        close(session->stderr_fd);
    if (session->statm_fd >= 0)
        close(session->statm_fd);
    if (session->path_fd >= 0)
        close(session->path_fd);
    if (session->shared)
        munmap(session->shared, session->shared_bytes);
    free(session);
}

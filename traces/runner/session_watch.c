#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/core/clock.h"
#include "traces/runner/session_state.h"

enum {
    SLICE_NS = 4 * 1000 * 1000, /* between two looks at a child that is waited for, */
    REAP_NS = 100 * 1000,       /* and at one that is about to end */
    LOOK_NS = 50 * 1000 * 1000, /* a longer time without a look says nothing about the child */
    STILL_NS = 20 * 1000 * 1000 /* from here on it is asked whether a child waits */
};
#define STARVED_NS UINT64_C(10000000000)
#define STOPPED_NS UINT64_C(3000000000)

static uint64_t cpu_ns(pid_t pid)
{
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? assay_clock_ns(clock) : 0;
}

uint64_t assay_session_said(const struct assay_session *session, uint64_t from, char *ret_text,
                            size_t bytes)
{
    off_t end = lseek(session->stderr_fd, 0, SEEK_CUR); /* shared with the child's descriptor */
    uint64_t all = end > 0 ? (uint64_t)end : 0, rest = all > from ? all - from : 0;
    ssize_t n =
        pread(session->stderr_fd, ret_text, rest < bytes - 1 ? rest : bytes - 1, (off_t)from);
    ret_text[n > 0 ? n : 0] = '\0';
    return all;
}

void assay_session_read_stderr(struct assay_session *session)
{
    struct assay_session_status *status = &session->status;
    status->stderr_bytes =
        assay_session_said(session, 0, status->stderr_text, sizeof status->stderr_text);
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

void assay_session_kill(struct assay_session *session, enum assay_session_state state)
{
    int wait_status = 0;
    kill(-session->pid, SIGKILL); /* helpers that the subject has started, too; */
    kill(session->pid, SIGKILL);  /* it may not have made its group yet */
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
        assay_session_kill(session, ASSAY_SESSION_MEMORY);
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
    uint64_t limit =
        (uint64_t)(starting ? ASSAY_SESSION_START_MS : session->config.hang_ms) * 1000000;
    uint64_t starved = 5 * limit > STARVED_NS ? 5 * limit : STARVED_NS;
    bool burned =
        session->stalled_ns >= limit && cpu_ns(watched) - session->seen_cpu_ns > limit / 2;
    if (burned || session->blocked_ns >= limit || session->stalled_ns >= starved)
        assay_session_kill(session, ASSAY_SESSION_HUNG);
}

/* Somebody may have stopped it for a while; one that stopped itself nobody lets go on. */
static void look_at_stopped(struct assay_session *session)
{
    uint64_t now = assay_now_ns(), passed = now - session->looked_ns;
    session->looked_ns = now;
    session->stopped_ns += passed < LOOK_NS ? passed : LOOK_NS;
    if (session->stopped_ns >= STOPPED_NS)
        assay_session_kill(session, ASSAY_SESSION_HUNG);
}

void assay_session_look(struct assay_session *session)
{
    int wait_status = 0;
    if (assay_session_gone(session))
        return;
    siginfo_t info = {.si_pid = 0};
    int looked = waitid(P_PID, (id_t)session->pid, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT);
    if (looked == 0 && info.si_pid == session->pid) {
        if (info.si_code == CLD_STOPPED) {
            look_at_stopped(session);
            return;
        }
        kill(-session->pid, SIGKILL); /* while its number is its own */
        waitpid(session->pid, &wait_status, 0);
        end_with(session, ASSAY_SESSION_EXITED, wait_status);
        return;
    }
    session->stopped_ns = 0;
    uint64_t now = assay_now_ns();
    look_at_memory(session, now);
    if (!assay_session_gone(session))
        look_at_progress(session, now);
}

bool assay_session_wait_for(struct assay_session *session, uint32_t count)
{
    struct assay_shared *shared = session->shared;
    for (;;) {
        for (int i = 0; i < ASSAY_SHARED_SPINS; i++) {
            if ((int32_t)(atomic_load_explicit(&shared->executed, memory_order_acquire) - count) >=
                0)
                return true;
            assay_spin();
        }
        if (assay_session_gone(session))
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
        assay_session_look(session);
    }
}

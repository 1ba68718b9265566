/* The eBPF capture: start the command under probes, carry records to the assembler until it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uthash.h>

#include "traces/capture/assemble.h"
#include "traces/capture/ebpf.h"
#include "traces/capture/ebpf_maps.h"
#include "traces/capture/ebpf_threads.h"
#include "traces/core/clock.h"

enum { BATCH = 4096, RECORDS_PER_LOOK = 1 << 16, LOOK_MS = 10 };

struct live_process {
    uint32_t id, threads;
    uint32_t own_id; /* in the pid namespace of this process: perf's and /proc's name for it */
    /* After vfork and until its exec a process lives in its parent's memory: its calls are the
     * waiting thread's. 0: it has memory of its own. */
    uint32_t lender, lender_thread;
    UT_hash_handle hh;
};

struct capture {
    const struct assay_capture_config *config;
    const struct assay_ebpf_tuning *tuning;
    struct assay_capture_result *result;
    struct assay_error *err;

    struct assay_ebpf *ebpf;
    struct assay_maps *maps; /* NULL: callers have no module */
    struct assay_exit_frees exit_frees;
    struct assay_trace_writer *writer;
    struct assay_assembler *assembler;
    const struct assay_ebpf_function *functions;
    struct live_process *processes;
    struct assay_ebpf_library libraries[4];
    int n_libraries;

    pid_t child;
    int go_fd;     /* a byte here lets the child run */
    int failed_fd; /* the child's errno when it could not run the command; end of file when it
                      did */
    uint64_t start_ns, records, told_ns, ended_by_us_ns;
    bool killed;
    unsigned borrowers;
    int rc; /* first error */

    size_t n;
    struct assay_raw batch[BATCH];
};

/* ---- the command ---- */

/* Forks a child that waits for a byte and then becomes the command. */
static int spawn(struct capture *c, const char *path)
{
    int go[2] = {-1, -1}, failed[2] = {-1, -1};
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(failed, O_CLOEXEC) < 0) {
        close(go[0]), close(go[1]);
        return assay_fail_errno(c->err, "cannot make a pipe");
    }
    c->child = fork();
    if (c->child == 0) {
        char byte;
        close(go[1]);
        close(failed[0]);
        if (read(go[0], &byte, 1) != 1)
            _exit(0); /* the capture gave up */
        execv(path, c->config->argv);
        int error = errno;
        if (write(failed[1], &error, sizeof error) < 0)
            _exit(126);
        _exit(127);
    }
    close(go[0]);
    close(failed[1]);
    c->go_fd = go[1];
    c->failed_fd = failed[0];
    return c->child < 0 ? assay_fail_errno(c->err, "cannot fork") : 0;
}

/* Lets the child go and waits until it runs the command. */
static int release(struct capture *c, const char *path)
{
    int error = 0;
    ssize_t got;
    c->start_ns = assay_now_ns();
    if (write(c->go_fd, "", 1) != 1)
        return assay_fail_errno(c->err, "cannot start '%s'", path);
    close(c->go_fd);
    c->go_fd = -1;
    do
        got = read(c->failed_fd, &error, sizeof error);
    while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof error) {
        errno = error;
        return assay_fail_errno(c->err, "cannot run '%s'", path);
    }
    c->result->started = true;
    return 0;
}

static void end_command(struct capture *c, uint64_t now)
{
    if (c->ended_by_us_ns == 0) {
        c->ended_by_us_ns = now;
        kill(c->child, SIGTERM);
    } else if (!c->killed && now - c->ended_by_us_ns > 2000000000u) {
        c->killed = true;
        kill(c->child, SIGKILL);
    }
}

/* ---- records ---- */

static void flush(struct capture *c)
{
    if (c->n > 0 && c->rc == 0)
        c->rc = assay_assembler_feed(c->assembler, c->batch, c->n, c->err);
    c->n = 0;
}

static struct live_process *process_of(struct capture *c, uint32_t id, uint32_t own_id)
{
    struct live_process *process;
    HASH_FIND(hh, c->processes, &id, sizeof id, process);
    if (!process && (process = calloc(1, sizeof *process))) {
        process->id = id;
        process->own_id = own_id;
        process->threads = 1;
        HASH_ADD(hh, c->processes, id, sizeof process->id, process);
    }
    if (!process && c->rc == 0)
        c->rc = assay_fail(c->err, ASSAY_E_MEMORY, "out of memory");
    return process;
}

static void pay_back(struct capture *c, struct live_process *process)
{
    if (process->lender == 0)
        return;
    process->lender = 0;
    c->borrowers--;
}

/* The steps in the life of threads and processes. The last thread of a process is found by counting
 * in ring order: two that end at once would both think so. */
static void take_life(struct capture *c, const struct assay_ebpf_record *record,
                      struct assay_raw *raw)
{
    struct live_process *process =
        process_of(c, record->process, (uint32_t)c->child); /* the first */
    struct live_process *child;
    if (!process)
        return;
    switch (record->type) {
    case ASSAY_EBPF_THREAD_START:
        process->threads++;
        raw->kind = ASSAY_OP_THREAD_START;
        raw->arg = record->other;
        break;
    case ASSAY_EBPF_FORK:
        child = process_of(c, record->other, (uint32_t)record->caller);
        if (child && record->arg) {
            child->lender = process->lender ? process->lender : record->process;
            child->lender_thread = process->lender ? process->lender_thread : record->thread;
            c->borrowers++;
        }
        if (c->maps && c->rc == 0)
            c->rc = assay_maps_fork(c->maps, process->own_id, (uint32_t)record->caller,
                                    record->time, c->err);
        raw->kind = ASSAY_OP_FORK;
        raw->arg = record->other;
        break;
    case ASSAY_EBPF_EXEC:
        pay_back(c, process);
        flush(c); /* so that a batch never spans two images of a process */
        raw->kind = ASSAY_OP_EXEC;
        break;
    default:
        if (--process->threads > 0) {
            raw->kind = ASSAY_OP_THREAD_EXIT;
            break;
        }
        flush(c); /* its calls may stand in this batch: their callers are found by its own id */
        pay_back(c, process);
        HASH_DEL(c->processes, process);
        free(process);
        raw->kind = ASSAY_OP_EXIT;
        raw->arg = record->arg & 0x7f ? 128 + (record->arg & 0x7f) : record->arg >> 8 & 0xff;
        break;
    }
    c->batch[c->n++] = *raw;
}

static uint32_t own_id_of(struct capture *c, uint32_t id)
{
    struct live_process *process;
    HASH_FIND(hh, c->processes, &id, sizeof id, process);
    return process ? process->own_id : 0;
}

static void take_call(struct capture *c, const struct assay_ebpf_record *record,
                      struct assay_raw *raw)
{
    const struct assay_ebpf_function *function = &c->functions[record->function];
    if (c->borrowers > 0) {
        struct live_process *process;
        HASH_FIND(hh, c->processes, &record->process, sizeof record->process, process);
        if (process && process->lender) {
            raw->pid = process->lender;
            raw->tid = process->lender_thread;
        }
    }
    raw->kind = function->kind;
    raw->family = function->family;
    raw->size = record->size;
    raw->arg = record->arg;
    raw->caller = record->caller;
    raw->error = record->error;
    if (record->type == ASSAY_EBPF_BEGIN) {
        raw->flags = ASSAY_FLAG_BEGIN;
        raw->pointer = record->address;
    } else if (record->type == ASSAY_EBPF_END) {
        raw->flags = ASSAY_FLAG_END;
        raw->result = record->address;
    } else if (function->shape >= ASSAY_EBPF_FREE) {
        raw->pointer = record->address;
        if (c->maps && record->thread != record->process &&
            assay_exit_frees_match(&c->exit_frees, c->maps, own_id_of(c, record->process), record))
            raw->flags = ASSAY_FLAG_LIBRARY;
    } else if (function->shape == ASSAY_EBPF_QUERY) {
        raw->pointer = record->address;
        raw->result = record->arg;
        raw->arg = 0;
    } else {
        raw->result = record->address;
        if (function->kind == ASSAY_OP_TRIM) /* answers a number, takes one */
            raw->arg = 0;
    }
    c->batch[c->n++] = *raw;
}

static int take(void *self, const struct assay_ebpf_record *record)
{
    struct capture *c = self;
    struct assay_raw raw = {.time = record->time > c->start_ns ? record->time - c->start_ns : 0,
                            .pid = record->process,
                            .tid = record->thread};
    if (record->type <= ASSAY_EBPF_END)
        take_call(c, record, &raw);
    else
        take_life(c, record, &raw);
    if (c->n >= BATCH - 1)
        flush(c);
    return ++c->records % RECORDS_PER_LOOK == 0 || c->rc < 0;
}

static void need_maps(void *self, uint32_t pid, uint64_t address)
{
    struct capture *c = self;
    if (!c->maps || assay_maps_update(c->maps, NULL) < 0)
        return;
    uint64_t last = c->n > 0 ? c->batch[c->n - 1].time + c->start_ns : UINT64_MAX;
    const struct assay_mapping *m = assay_maps_find(c->maps, own_id_of(c, pid), address, last);
    if (m)
        assay_assembler_module(c->assembler, pid, m->start, m->end, m->offset, m->path, NULL);
}

/* ---- the run ---- */

static uint64_t lost(const struct capture *c, struct assay_ebpf_counters *ret_counters)
{
    assay_ebpf_counters(c->ebpf, ret_counters);
    return ret_counters->dropped + ret_counters->abandoned + ret_counters->unreadable;
}

static void tell(struct capture *c, uint64_t now, bool ended)
{
    struct assay_ebpf_counters counters;
    if (!c->config->progress || (!ended && now - c->told_ns < 500000000u))
        return;
    c->told_ns = now;
    struct assay_capture_progress progress = {.events =
                                                  assay_assembler_totals(c->assembler)->events,
                                              .dropped = lost(c, &counters),
                                              .wall_ns = now - c->start_ns,
                                              .ended = ended};
    c->config->progress(c->config->progress_self, &progress);
}

/* Takes what is pending; true if there may be more. */
static bool drain(struct capture *c)
{
    if (c->tuning->sluggish_us)
        usleep(c->tuning->sluggish_us);
    if (c->maps && c->rc == 0)
        c->rc = assay_maps_update(c->maps, c->err);
    bool more = assay_ebpf_consume(c->ebpf, take, c) > 0;
    flush(c);
    return more && c->rc == 0;
}

static int run(struct capture *c)
{
    struct pollfd fds[] = {{.fd = assay_ebpf_wake_fd(c->ebpf), .events = POLLIN}};
    bool ended = false, more = false;
    while (!ended) {
        if (!more)
            poll(fds, 1, LOOK_MS);
        uint64_t now = assay_now_ns();
        /* ended is read before the last look at the ring, so that nothing is left behind */
        pid_t got = waitpid(c->child, &c->result->status, WNOHANG);
        ended = got == c->child || (got < 0 && errno != EINTR);
        if (ended)
            c->result->wall_ns = now - c->start_ns;
        more = drain(c);
        if (c->rc == 0)
            c->rc = assay_assembler_tick(c->assembler, now, c->err);
        bool stop = c->config->stop && *c->config->stop;
        bool late = c->config->max_time_ns && now - c->start_ns > c->config->max_time_ns;
        c->result->interrupted |= stop; /* a terminal's reaches the command too, and may end it */
        c->result->timed_out |= late && !stop && !ended;
        if (!ended && (stop || late || c->rc < 0))
            end_command(c, now);
        tell(c, now, false);
    }
    tell(c, assay_now_ns(), true);
    while (more)
        more = drain(c);
    c->child = 0;
    return c->rc;
}

static bool is_probed(const struct capture *c, const char *path)
{
    struct stat file, library;
    if (stat(path, &file) < 0)
        return true; /* gone, or of another file system tree: nothing can be said */
    for (int i = 0; i < c->n_libraries; i++)
        if (stat(c->libraries[i].path, &library) == 0 && library.st_ino == file.st_ino &&
            library.st_dev == file.st_dev)
            return true;
    return false;
}

/* A process of the command that has an allocator of its own (env LD_PRELOAD=..., a static program)
 * is not recorded: that is said, never hidden. */
static void note_unseen_allocators(struct capture *c)
{
    char *notes = c->result->notes;
    const size_t room = sizeof c->result->notes;
    const char *path;
    unsigned mappings;
    bool is_libc;
    for (size_t i = 0; c->maps && (path = assay_maps_file(c->maps, i, &mappings)); i++) {
        if (is_probed(c, path) || !assay_ebpf_serves(path, &is_libc))
            continue;
        c->result->unfollowed += mappings;
        assay_ebpf_note(
            notes, room,
            "'%s' is an allocator in a process of the command, but was not probed: what it served "
            "is missing; capture that program by itself",
            path);
    }
}

static void note_rest(struct capture *c, const struct assay_ebpf_counters *counters)
{
    char *notes = c->result->notes;
    const size_t room = sizeof c->result->notes;
    unsigned alive = HASH_COUNT(c->processes);
    c->result->unfollowed = (unsigned)counters->unfollowed;
    if (alive > 0)
        assay_ebpf_note(notes, room, "%u process%s of the command still run%s: the trace ends here",
                        alive, alive == 1 ? "" : "es", alive == 1 ? "s" : "");
    if (counters->unfollowed > 0)
        assay_ebpf_note(notes, room, "%llu tasks could not be followed", counters->unfollowed);
    note_unseen_allocators(c);
}

static int finish(struct capture *c)
{
    struct assay_ebpf_counters counters;
    struct stat st;
    uint64_t dropped = lost(c, &counters);
    assay_assembler_lost(c->assembler, dropped, counters.nested);
    int rc = assay_assembler_finish(c->assembler, &c->result->totals, c->err);
    if (rc < 0)
        return rc;
    note_rest(c, &counters);
    rc = assay_trace_close(c->writer, &c->result->totals, c->err);
    c->writer = NULL;
    if (rc == 0 && stat(c->config->output, &st) == 0)
        c->result->bytes = (uint64_t)st.st_size;
    return rc;
}

static int open_outputs(struct capture *c, const char *library)
{
    struct assay_capture_strings strings = {0};
    struct assay_trace_meta meta = {0};
    struct assay_trace_options options = {.no_addresses = c->config->no_addresses,
                                          .no_callers = c->config->no_callers};
    assay_capture_describe(c->config, "ebpf", "monotonic", &strings, &meta);
    meta.has = ASSAY_HAS_ORDER | ASSAY_HAS_THREAD | ASSAY_HAS_TIME |
               (c->config->no_addresses ? 0 : ASSAY_HAS_ADDRESS) |
               (c->config->no_callers ? 0 : ASSAY_HAS_CALLER);
    snprintf(strings.allocator, sizeof strings.allocator, "%.4095s", library);
    assay_capture_build_id(library, strings.build_id, sizeof strings.build_id);
    meta.allocator = strings.allocator;
    meta.build_id = strings.build_id;
    int rc = assay_trace_create(c->config->output, &meta, &options, &c->writer, c->err);
    if (rc < 0)
        return rc;
    struct assay_assembler_options assembly = {.scrub = c->config->scrub,
                                               .no_callers = c->config->no_callers,
                                               .need_maps = need_maps,
                                               .self = c};
    return assay_assembler_create(c->writer, &assembly, &c->assembler, c->err);
}

static void clean_up(struct capture *c)
{
    if (c->go_fd >= 0)
        close(c->go_fd);
    if (c->failed_fd >= 0)
        close(c->failed_fd);
    if (c->child > 0) {
        if (c->result->started)
            kill(c->child, SIGTERM);
        while (waitpid(c->child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    struct live_process *process = c->processes, *next;
    HASH_CLEAR(hh, c->processes);
    for (; process; process = next) {
        next = process->hh.next;
        free(process);
    }
    assay_assembler_free(c->assembler);
    if (c->writer)
        assay_trace_abandon(c->writer);
    assay_ebpf_stop(c->ebpf);
    assay_maps_free(c->maps);
    free(c);
}

static int choose_libraries(const struct assay_ebpf_tuning *tuning, const char *path,
                            struct assay_ebpf_library *libraries, size_t n, struct assay_error *err)
{
    int filled = 0;
    for (size_t i = 0; i < 4 && tuning->libraries[i] && (size_t)filled < n; i++)
        snprintf(libraries[filled++].path, sizeof libraries->path, "%s", tuning->libraries[i]);
    return filled > 0 ? filled : assay_ebpf_libraries(path, libraries, n, err);
}

int assay_capture_ebpf_tuned(const struct assay_capture_config *config,
                             const struct assay_ebpf_tuning *tuning,
                             struct assay_capture_result *result, struct assay_error *err)
{
    char path[4096];
    size_t unused;
    *result = (struct assay_capture_result){.method = "ebpf", .clock = "monotonic"};
    int rc = assay_capture_find(config->argv[0], path, sizeof path, err);
    if (rc < 0)
        return rc;
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    *c = (struct capture){.config = config,
                          .tuning = tuning,
                          .result = result,
                          .err = err,
                          .functions = assay_ebpf_functions(&unused),
                          .go_fd = -1,
                          .failed_fd = -1};
    c->n_libraries = rc = choose_libraries(tuning, path, c->libraries, 4, err);
    if (rc < 0)
        goto out;
    rc = assay_ebpf_start(tuning, c->libraries, (size_t)c->n_libraries, result->notes,
                          sizeof result->notes, &c->ebpf, err);
    if (rc < 0)
        goto out;
    assay_exit_frees_measure(c->ebpf, &c->exit_frees);
    if ((rc = open_outputs(c, c->libraries[0].path)) < 0 || (rc = spawn(c, path)) < 0)
        goto out;
    if (assay_maps_create(c->child, &c->maps, NULL) < 0)
        c->maps = NULL;
    if ((rc = assay_ebpf_follow(c->ebpf, c->child, err)) < 0 || (rc = release(c, path)) < 0 ||
        (rc = run(c)) < 0)
        goto out;
    rc = finish(c);
out:
    clean_up(c);
    return rc;
}

int assay_capture_ebpf(const struct assay_capture_config *config,
                       struct assay_capture_result *result, struct assay_error *err)
{
    static const struct assay_ebpf_tuning defaults = {0};
    return assay_capture_ebpf_tuned(config, &defaults, result, err);
}

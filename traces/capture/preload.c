/* Capture by the preload recorder: starts the command with it, drains its logs beside it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/capture/assemble.h"
#include "traces/capture/capture.h"
#include "traces/capture/command.h"
#include "traces/capture/merge.h"
#include "traces/capture/recorder_log.h"
#include "traces/core/clock.h"
#include "traces/parts.h"

#define REPAIR_WINDOW_NS 1000
#define PROGRESS_NS      UINT64_C(500000000)
#define GRACE_NS         UINT64_C(2000000000)
enum { DRAIN_MS = 200 };

struct run {
    const struct assay_capture_config *config;
    struct assay_capture_result *result;
    struct assay_merge *merge;
    struct assay_trace_writer *writer;
    struct assay_assembler *assembler;
    char path[4096], recorder[4096], partial[4200];
    pid_t pid;
    uint64_t start_ns, progress_ns, asked_ns; /* asked: since when the command is to end */
    pthread_t watcher;
    int watch[2]; /* the watcher closes watch[1] when the command has ended, at end_ns */
    _Atomic uint64_t end_ns;
};

static int find_recorder(struct run *run, struct assay_error *err)
{
    struct assay_part part;
    const char *path = run->config->recorder;
    if (!path && !assay_part_find(&part, "libassay_recorder.so"))
        return assay_fail(err, ASSAY_E_NOT_FOUND,
                          "cannot find libassay_recorder.so near '%s': build or install it",
                          part.folder);
    if (!realpath(path ? path : part.path, run->recorder))
        return assay_fail_errno(err, "cannot find the recorder '%s'", path ? path : part.path);
    if (strpbrk(run->recorder, " :"))
        return assay_fail(err, ASSAY_E_UNSUPPORTED,
                          "the recorder's path '%s' has a space or a colon: the loader would split "
                          "it",
                          run->recorder);
    return 0;
}

/* The writer is made when the first process has told its allocator; what would fail then fails now.
 */
static int check_output(const char *path, struct assay_error *err)
{
    struct stat status;
    char folder[4096], *target = NULL;
    int code = assay_trace_target(path, &target, err);
    if (code)
        return code;
    snprintf(folder, sizeof folder, "%s", target);
    free(target);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    const char *at = slash ? folder : ".";
    if (access(at, W_OK | X_OK) != 0 || (stat(at, &status) == 0 && !S_ISDIR(status.st_mode)))
        return assay_fail_errno(err, "cannot write '%s'", path);
    return 0;
}

static int name_partial(struct run *run, struct assay_error *err)
{
    char *target = NULL;
    int code = assay_trace_target(run->config->output, &target, err);
    if (code == 0) {
        snprintf(run->partial, sizeof run->partial, "%s.partial", target);
        free(target);
    }
    return code;
}

static _Noreturn void become_command(const struct run *run, int report)
{
    char preload[8192];
    const char *theirs = getenv("LD_PRELOAD");
    snprintf(preload, sizeof preload, "%s%s%s", run->recorder, theirs && *theirs ? ":" : "",
             theirs ? theirs : "");
    setenv("LD_PRELOAD", preload, 1);
    setenv(ASSAY_RECORDER_DIRECTORY, assay_merge_directory(run->merge), 1);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    execv(run->path, run->config->argv);
    int error = errno;
    if (write(report, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

static int start(struct run *run, struct assay_error *err)
{
    int report[2], error = 0;
    if (pipe2(report, O_CLOEXEC) != 0)
        return assay_fail_errno(err, "cannot make a pipe");
    fflush(NULL);
    run->start_ns = assay_now_ns();
    run->pid = fork();
    if (run->pid == 0)
        become_command(run, report[1]);
    close(report[1]);
    if (run->pid < 0) {
        close(report[0]);
        return assay_fail_errno(err, "cannot fork");
    }
    ssize_t n;
    do
        n = read(report[0], &error, sizeof error);
    while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n == sizeof error) {
        while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        errno = error;
        return assay_fail_errno(err, "cannot run '%s'", run->path);
    }
    run->result->started = true;
    return 0;
}

static int make_writer(struct run *run, struct assay_error *err)
{
    struct assay_capture_strings strings;
    struct assay_trace_meta meta;
    const struct assay_trace_options trace_options = {.no_addresses = run->config->no_addresses,
                                                      .no_callers = run->config->no_callers};
    const struct assay_assembler_options options = {
        .scrub = run->config->scrub,
        .no_callers = run->config->no_callers,
        .repair_window_ns =
            strcmp(assay_merge_clock(run->merge), "tsc") == 0 ? REPAIR_WINDOW_NS : 0,
        .need_maps = assay_merge_need_maps,
        .self = run->merge};
    assay_capture_describe(run->config, "preload", assay_merge_clock(run->merge), &strings, &meta);
    if (assay_merge_allocator(run->merge, strings.allocator, sizeof strings.allocator) &&
        strings.allocator[0]) {
        assay_capture_build_id(strings.allocator, strings.build_id, sizeof strings.build_id);
        meta.allocator = run->config->scrub ? NULL : strings.allocator;
        meta.build_id = strings.build_id[0] ? strings.build_id : NULL;
    }
    int rc = assay_trace_create(run->config->output, &meta, &trace_options, &run->writer, err);
    if (rc < 0)
        return rc;
    rc = assay_assembler_create(run->writer, &options, &run->assembler, err);
    if (rc >= 0)
        assay_merge_feed_to(run->merge, run->assembler);
    return rc;
}

static void tell(struct run *run, bool ended)
{
    uint64_t now = assay_now_ns();
    struct stat status;
    if (!run->config->progress || (now - run->progress_ns < PROGRESS_NS && !ended))
        return;
    run->progress_ns = now;
    struct assay_capture_progress progress = {
        .events = run->assembler ? assay_assembler_totals(run->assembler)->events : 0,
        .dropped = assay_merge_dropped(run->merge),
        .bytes = stat(run->partial, &status) == 0 ? (uint64_t)status.st_size : 0,
        .wall_ns = now - run->start_ns,
        .ended = ended};
    run->config->progress(run->config->progress_self, &progress);
}

static int drain(struct run *run, bool all, struct assay_error *err)
{
    char path[16];
    if (!run->writer) {
        if (!all && !assay_merge_allocator(run->merge, path, sizeof path))
            return 0;
        int rc = make_writer(run, err);
        if (rc < 0)
            return rc;
    }
    return assay_merge_drain(run->merge, all, err);
}

static bool want_end(struct run *run, uint64_t now)
{
    const struct assay_capture_config *config = run->config;
    if (config->stop && *config->stop)
        run->result->interrupted = true;
    else if (config->max_time_ns && now - run->start_ns >= config->max_time_ns)
        run->result->timed_out = true;
    return run->result->interrupted || run->result->timed_out;
}

/* Draining must not delay the moment that counts as the command's end. */
static void *watch_command(void *argument)
{
    struct run *run = argument;
    siginfo_t info;
    while (waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    atomic_store(&run->end_ns, assay_now_ns());
    close(run->watch[1]);
    return NULL;
}

static int start_watching(struct run *run, struct assay_error *err)
{
    sigset_t all, before;
    if (pipe2(run->watch, O_CLOEXEC) != 0)
        return assay_fail_errno(err, "cannot make a pipe");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    int error = pthread_create(&run->watcher, NULL, watch_command, run);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        return 0;
    close(run->watch[0]);
    close(run->watch[1]);
    errno = error;
    return assay_fail_errno(err, "cannot start a thread");
}

/* Runs until the command has ended. A failure to write ends the command too. */
static int attend(struct run *run, struct assay_error *err)
{
    int rc = start_watching(run, err);
    bool killed = false;
    if (rc < 0) {
        kill(run->pid, SIGKILL);
        waitpid(run->pid, &run->result->status, 0);
        return rc;
    }
    for (;;) {
        struct pollfd wait = {.fd = run->watch[0], .events = POLLIN};
        if (poll(&wait, 1, DRAIN_MS) > 0)
            break;
        uint64_t now = assay_now_ns();
        if ((rc < 0 || want_end(run, now)) && !run->asked_ns) {
            run->asked_ns = now;
            kill(run->pid, SIGTERM);
        }
        if (run->asked_ns && now - run->asked_ns > GRACE_NS && !killed) {
            killed = true;
            kill(run->pid, SIGKILL);
        }
        if (rc >= 0)
            rc = drain(run, false, err);
        if (rc >= 0 && run->assembler)
            rc = assay_assembler_tick(run->assembler, now, err);
        tell(run, false);
    }
    pthread_join(run->watcher, NULL);
    close(run->watch[0]);
    while (waitpid(run->pid, &run->result->status, 0) < 0 && errno == EINTR) {
    }
    /* a terminal's interrupt reaches the command at once, and may end it before we look */
    run->result->interrupted |= run->config->stop && *run->config->stop;
    run->result->wall_ns = atomic_load(&run->end_ns) - run->start_ns;
    return rc;
}

static int finish(struct run *run, struct assay_error *err)
{
    struct assay_trace_totals totals;
    struct stat status;
    int rc = drain(run, true, err);
    if (rc >= 0 && assay_merge_processes(run->merge) == 0)
        rc = assay_fail(err, ASSAY_E_UNSUPPORTED,
                        "the recorder was not loaded into '%s': the loader refused it or the "
                        "program ended first",
                        run->path);
    if (rc >= 0)
        rc = assay_merge_finish(run->merge, run->result->status, err);
    if (rc >= 0)
        rc = assay_assembler_finish(run->assembler, &totals, err);
    if (rc < 0)
        return rc;
    rc = assay_trace_close(run->writer, &totals, err);
    run->writer = NULL;
    if (rc < 0)
        return rc;
    run->result->totals = totals;
    run->result->bytes = stat(run->config->output, &status) == 0 ? (uint64_t)status.st_size : 0;
    return 0;
}

static int capture(const struct assay_capture_config *config, bool use_counter,
                   struct assay_capture_result *result, struct assay_error *err)
{
    struct run run = {.config = config, .result = result};
    const struct assay_merge_options options = {.directory = config->directory,
                                                .no_callers = config->no_callers,
                                                .use_counter = use_counter};
    *result = (struct assay_capture_result){.method = "preload"};
    int rc = assay_capture_find(config->argv[0], run.path, sizeof run.path, err);
    if (rc >= 0)
        rc = assay_capture_preloadable(run.path, err);
    if (rc >= 0)
        rc = check_output(config->output, err);
    if (rc >= 0)
        rc = name_partial(&run, err);
    if (rc >= 0)
        rc = find_recorder(&run, err);
    if (rc < 0 || (rc = assay_merge_create(&options, &run.merge, err)) < 0)
        return rc;
    result->clock = strcmp(assay_merge_clock(run.merge), "tsc") == 0 ? "tsc" : "counter";
    rc = start(&run, err);
    if (rc >= 0) {
        rc = attend(&run, err);
        tell(&run, true);
        if (rc >= 0)
            rc = finish(&run, err);
    }
    assay_assembler_free(run.assembler);
    if (run.writer)
        assay_trace_abandon(run.writer);
    assay_merge_free(run.merge);
    return rc;
}

int assay_capture_preload(const struct assay_capture_config *config,
                          struct assay_capture_result *result, struct assay_error *err)
{
    return capture(config, false, result, err);
}

int assay_capture_preload_by_counter(const struct assay_capture_config *config,
                                     struct assay_capture_result *result, struct assay_error *err)
{
    return capture(config, true, result, err);
}

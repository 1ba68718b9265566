#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "traces/core/clock.h"
#include "traces/runner/session_state.h"
#include "traces/runner/spawn.h"

enum { STDERR_BYTES = 1 << 20 /* more than this a child cannot write */ };

static size_t page_up(size_t bytes)
{
    return (bytes + 4095) & ~(size_t)4095;
}

static int make_shared(struct assay_session *session, int *ret_fd, struct assay_error *err)
{
    const struct assay_session_config *config = &session->config;
    size_t blob = page_up(sizeof(struct assay_shared));
    size_t report = blob + page_up(config->blob_bytes);
    size_t chunks = report + page_up(config->report_bytes + ASSAY_SESSION_GUARD_BYTES);
    size_t bytes = chunks + page_up(ASSAY_SHARED_CHUNKS * sizeof(struct assay_chunk) +
                                    ASSAY_SESSION_GUARD_BYTES);
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
    shared->preempted = config->environment.preempted;
    shared->stepped = config->environment.stepped;
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
    memset(assay_session_guard(session, chunks), ASSAY_SESSION_GUARD, ASSAY_SESSION_GUARD_BYTES);
    memset(assay_session_guard(session, bytes), ASSAY_SESSION_GUARD, ASSAY_SESSION_GUARD_BYTES);
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
    session->looked_ns = assay_now_ns();
    *ret_session = session;
    return 0;
}

int assay_session_ready(struct assay_session *session, uint64_t *ret_missing,
                        struct assay_error *err)
{
    struct assay_shared *shared = session->shared;
    const struct timespec nap = {0, 200000};
    uint64_t start = assay_now_ns();
    while (atomic_load(&shared->boot) == ASSAY_BOOT_STARTING && !assay_session_gone(session)) {
        nanosleep(&nap, NULL);
        assay_session_look(session);
        if (!assay_session_gone(session) &&
            assay_now_ns() - start > (uint64_t)ASSAY_SESSION_START_MS * 1000000)
            assay_session_kill(session, ASSAY_SESSION_HUNG);
    }
    const char *name = session->subject.name;
    if (atomic_load(&shared->boot) == ASSAY_BOOT_READY) {
        *ret_missing = shared->found_missing;
        return 0;
    }
    if (atomic_load(&shared->boot) == ASSAY_BOOT_FAILED)
        return assay_fail(err, ASSAY_E_SUBJECT, "cannot run the subject '%s': %.*s", name, 400,
                          shared->boot_error);
    assay_session_read_stderr(session);
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
        assay_session_kill(session, ASSAY_SESSION_ENDED);
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

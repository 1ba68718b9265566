#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/capture/merge_internal.h"

enum { BUFFER = 4096 /* records read at a time */ };
#define PUNCH_BYTES (UINT64_C(4) << 20)

static void log_path(const struct assay_merge *m, const struct log *log, char *path, size_t bytes)
{
    snprintf(path, bytes, "%s/log.%u", m->directory, log->number);
}

/* Maps the header of a log once its thread has finished it. */
static int open_log(struct assay_merge *m, struct log *log, struct assay_error *err)
{
    char path[256];
    struct stat status;
    log_path(m, log, path, sizeof path);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? 0 : assay_fail_errno(err, "cannot open '%s'", path);
    void *header = MAP_FAILED;
    bool whole = fstat(file, &status) == 0 && status.st_size >= ASSAY_LOG_HEADER_BYTES;
    if (whole)
        header = mmap(NULL, ASSAY_LOG_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (!whole)
        return 0;
    if (header == MAP_FAILED)
        return assay_fail_errno(err, "cannot map '%s'", path);
    log->header = header;
    log->punched = ASSAY_LOG_HEADER_BYTES;
    if (atomic_load_explicit(&log->header->ready, memory_order_acquire) &&
        log->header->magic == ASSAY_RECORDER_MAGIC)
        return 0;
    munmap(header, ASSAY_LOG_HEADER_BYTES);
    log->header = NULL;
    return 0;
}

int merge_discover(struct assay_merge *m, struct assay_error *err)
{
    size_t count = atomic_load(&m->control->next_log);
    if (count > m->log_capacity) {
        size_t capacity = count * 2;
        struct log **logs = realloc(m->logs, capacity * sizeof *logs);
        if (!logs)
            return merge_out_of_memory(err);
        m->logs = logs;
        m->log_capacity = capacity;
    }
    for (; m->log_count < count; m->log_count++) {
        struct log *log = calloc(1, sizeof *log);
        if (!log)
            return merge_out_of_memory(err);
        log->number = (uint32_t)m->log_count;
        m->logs[m->log_count] = log;
    }
    for (size_t i = 0; i < count; i++) {
        int rc = m->logs[i]->header || m->logs[i]->done ? 0 : open_log(m, m->logs[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int merge_read_records(struct assay_merge *m, struct log *log, uint64_t from,
                       struct recorder_record *to, size_t n, bool punch, struct assay_error *err)
{
    char path[256];
    log_path(m, log, path, sizeof path);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return assay_fail_errno(err, "cannot open '%s'", path);
    uint64_t offset = ASSAY_LOG_HEADER_BYTES + from * sizeof *to;
    ssize_t got = pread(file, to, n * sizeof *to, (off_t)offset);
    uint64_t behind = offset & ~UINT64_C(4095);
    if (punch && behind >= log->punched + PUNCH_BYTES &&
        fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)log->punched,
                  (off_t)(behind - log->punched)) == 0)
        log->punched = behind;
    close(file);
    if (got != (ssize_t)(n * sizeof *to))
        return assay_fail(err, ASSAY_E_TRUNCATED, "the recorder's log '%s' is shorter than it says",
                          path);
    return 0;
}

int merge_peek(struct assay_merge *m, struct log *log, const struct recorder_record **ret_record,
               struct assay_error *err)
{
    *ret_record = NULL;
    if (log->at == log->n) {
        uint64_t left = log->limit - log->consumed;
        if (left == 0)
            return 0;
        if (!log->buffer && !(log->buffer = malloc(BUFFER * sizeof *log->buffer)))
            return merge_out_of_memory(err);
        size_t n = left < BUFFER ? (size_t)left : BUFFER;
        int rc = merge_read_records(m, log, log->consumed, log->buffer, n, true, err);
        if (rc < 0)
            return rc;
        log->at = 0;
        log->n = n;
        log->consumed += n;
    }
    *ret_record = &log->buffer[log->at];
    return 0;
}

void merge_close_log(struct assay_merge *m, struct log *log)
{
    char path[256];
    m->dropped += atomic_load(&log->header->dropped);
    m->nested += atomic_load(&log->header->nested);
    munmap(log->header, ASSAY_LOG_HEADER_BYTES);
    log->header = NULL;
    log->done = true;
    free(log->buffer);
    log->buffer = NULL;
    log_path(m, log, path, sizeof path);
    unlink(path);
    if (log->process)
        log->process->open_logs--;
}

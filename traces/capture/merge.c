#include "traces/capture/merge.h"

#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "traces/capture/merge_internal.h"

int merge_out_of_memory(struct assay_error *err)
{
    return assay_fail(err, ASSAY_E_MEMORY, "out of memory while merging the recorder's logs");
}

void assay_merge_feed_to(struct assay_merge *m, struct assay_assembler *assembler)
{
    m->assembler = assembler;
}

static uint64_t first_stamp(const struct log *log)
{
    return log->buffer[log->at].stamp;
}

static void sift_down(struct assay_merge *m, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < m->heap_n && first_stamp(m->heap[left]) < first_stamp(m->heap[least]))
            least = left;
        if (right < m->heap_n && first_stamp(m->heap[right]) < first_stamp(m->heap[least]))
            least = right;
        if (least == i)
            return;
        struct log *log = m->heap[i];
        m->heap[i] = m->heap[least];
        m->heap[least] = log;
        i = least;
    }
}

static uint64_t second_stamp(const struct assay_merge *m)
{
    uint64_t stamp = UINT64_MAX;
    for (size_t i = 1; i <= 2 && i < m->heap_n; i++)
        if (first_stamp(m->heap[i]) < stamp)
            stamp = first_stamp(m->heap[i]);
    return stamp;
}

static int merge(struct assay_merge *m, uint64_t cutoff, struct assay_error *err)
{
    const struct recorder_record *record;
    int rc;
    if (m->log_count > m->heap_capacity) {
        struct log **heap = realloc(m->heap, m->log_capacity * sizeof *heap);
        if (!heap)
            return merge_out_of_memory(err);
        m->heap = heap;
        m->heap_capacity = m->log_capacity;
    }
    m->heap_n = 0;
    for (size_t i = 0; i < m->log_count; i++) {
        if (!m->logs[i]->header)
            continue;
        if ((rc = merge_peek(m, m->logs[i], &record, err)) < 0)
            return rc;
        if (record)
            m->heap[m->heap_n++] = m->logs[i];
    }
    for (size_t i = m->heap_n / 2; i-- > 0;)
        sift_down(m, i);
    while (m->heap_n > 0 && first_stamp(m->heap[0]) <= cutoff) {
        struct log *log = m->heap[0];
        uint64_t until = second_stamp(m);
        if (until > cutoff)
            until = cutoff;
        do {
            if ((rc = merge_feed_record(m, log, &log->buffer[log->at], err)) < 0)
                return rc;
            log->at++;
            if ((rc = merge_peek(m, log, &record, err)) < 0)
                return rc;
        } while (record && record->stamp <= until);
        if (!record)
            m->heap[0] = m->heap[--m->heap_n];
        sift_down(m, 0);
    }
    return merge_flush(m, err);
}

/* Up to where nothing can be missing: now, or the last record of a thread that is just writing one
 * (unless it died so). */
static int watermark(struct assay_merge *m, bool all, uint64_t *ret_cutoff, struct assay_error *err)
{
    uint64_t now = m->control->use_counter ? atomic_load(&m->control->counter) : merge_read_tsc();
    if (!m->control->full_fence)
        syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    atomic_thread_fence(memory_order_seq_cst);
    int rc = merge_discover(m, err);
    *ret_cutoff = all ? UINT64_MAX : now - 1;
    for (size_t i = 0; rc >= 0 && i < m->log_count; i++) {
        struct log *log = m->logs[i];
        struct recorder_record last = {0};
        if (!log->header)
            continue;
        bool busy = atomic_load_explicit(&log->header->busy, memory_order_acquire);
        uint64_t head = atomic_load_explicit(&log->header->head, memory_order_acquire);
        if (head > log->limit)
            log->limit = head;
        if (all || !busy || !merge_alive(log->header->pid))
            continue;
        if (log->limit == 0)
            *ret_cutoff = 0;
        else if ((rc = merge_read_records(m, log, log->limit - 1, &last, 1, false, err)) >= 0 &&
                 last.stamp < *ret_cutoff)
            *ret_cutoff = last.stamp;
    }
    return rc;
}

/* Logs and processes that nothing more can come from. */
static int close_ended(struct assay_merge *m, struct assay_error *err)
{
    for (size_t i = 0; i < m->log_count; i++) {
        struct log *log = m->logs[i];
        if (!log->header || log->at != log->n || log->consumed != log->limit)
            continue;
        bool dead = log->ended || !merge_alive(log->header->pid);
        /* Read after the process was seen dead: what it wrote last is counted. */
        if (dead && atomic_load(&log->header->head) == log->limit)
            merge_close_log(m, log);
    }
    merge_learn_pids(m);
    for (size_t i = 1; i < m->process_count; i++) { /* the root: assay_merge_finish */
        struct process *p = m->processes[i];
        if (!p->over && p->pid && p->open_logs == 0 && !merge_alive(p->pid)) {
            int rc = merge_end_process(m, p, m->fed_ns, err);
            if (rc < 0)
                return rc;
        }
    }
    return merge_flush(m, err);
}

int assay_merge_drain(struct assay_merge *m, bool all, struct assay_error *err)
{
    uint64_t cutoff;
    int rc = watermark(m, all, &cutoff, err);
    if (rc >= 0)
        rc = merge(m, cutoff, err);
    return rc < 0 ? rc : close_ended(m, err);
}

int assay_merge_finish(struct assay_merge *m, int root_status, struct assay_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < m->log_count; i++)
        if (m->logs[i]->header)
            merge_close_log(m, m->logs[i]);
    for (size_t i = m->process_count; rc >= 0 && i-- > 0;) {
        struct process *p = m->processes[i];
        if (p->over)
            continue;
        if (p->key == MERGE_ROOT) {
            p->exited = true;
            p->status = (uint32_t)root_status;
        }
        rc = merge_end_process(m, p, m->fed_ns, err);
    }
    const struct assay_raw library = {.kind = ASSAY_OP_FREE, .flags = ASSAY_FLAG_LIBRARY};
    for (uint64_t i = atomic_load(&m->control->library); rc >= 0 && i > 0; i--)
        rc = merge_feed(m, &library, err);
    if (rc >= 0)
        rc = merge_flush(m, err);
    assay_assembler_lost(m->assembler, assay_merge_dropped(m), m->nested);
    return rc;
}

unsigned assay_merge_processes(const struct assay_merge *m)
{
    return atomic_load(&m->control->next_image);
}

uint64_t assay_merge_dropped(struct assay_merge *m)
{
    uint64_t dropped = m->dropped + atomic_load(&m->control->dropped);
    for (size_t i = 0; i < m->log_count; i++)
        if (m->logs[i]->header)
            dropped += atomic_load(&m->logs[i]->header->dropped);
    return dropped;
}

void assay_merge_free(struct assay_merge *m)
{
    struct process *p, *next;
    if (!m)
        return;
    HASH_ITER(hh, m->by_pid, p, next) HASH_DEL(m->by_pid, p);
    for (size_t i = 0; i < m->log_count; i++) {
        if (m->logs[i]->header)
            munmap(m->logs[i]->header, ASSAY_LOG_HEADER_BYTES);
        free(m->logs[i]->buffer);
        free(m->logs[i]);
    }
    for (size_t i = 0; i < m->process_count; i++)
        free(m->processes[i]);
    munmap(m->control, sizeof *m->control);
    merge_remove_directory(m->directory);
    free(m->logs);
    free(m->heap);
    free(m->processes);
    free(m->image_process);
    free(m->fork_process);
    free(m->unborn);
    free(m);
}

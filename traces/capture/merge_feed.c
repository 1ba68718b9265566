#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "traces/capture/merge_internal.h"

enum { FIRST_PROCESS = 2 };
#define THREAD_KEY UINT32_C(0x80000000)

/* Processes */

/* For one more. */
static bool has_room(struct process ***list, size_t n, size_t *capacity)
{
    if (n < *capacity)
        return true;
    size_t more = *capacity ? *capacity * 2 : 64;
    struct process **grown = realloc(*list, more * sizeof **list);
    if (!grown)
        return false;
    *list = grown;
    *capacity = more;
    return true;
}

static struct process *new_process(struct assay_merge *m, uint32_t pid)
{
    if (m->process_count + FIRST_PROCESS >= THREAD_KEY)
        return NULL;
    if (!has_room(&m->processes, m->process_count, &m->process_capacity))
        return NULL;
    struct process *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->key = MERGE_ROOT + (uint32_t)m->process_count;
    m->processes[m->process_count++] = p;
    p->pid = pid;
    return p;
}

struct process *merge_process(const struct assay_merge *m, uint32_t key)
{
    return key >= MERGE_ROOT && key - MERGE_ROOT < m->process_count ? m->processes[key - MERGE_ROOT]
                                                                    : NULL;
}

static struct process *process_of_pid(const struct assay_merge *m, uint32_t pid)
{
    struct process *p;
    HASH_FIND(hh, m->by_pid, &pid, sizeof pid, p);
    return p;
}

static void set_pid(struct assay_merge *m, struct process *p, uint32_t pid)
{
    struct process *old = process_of_pid(m, pid);
    if (old == p || p->over)
        return;
    if (old)
        HASH_DEL(m->by_pid, old); /* NOLINT: uthash, see sites.c */
    if (p->pid && process_of_pid(m, p->pid) == p)
        HASH_DEL(m->by_pid, p); /* NOLINT: uthash, see sites.c */
    p->pid = pid;
    HASH_ADD(hh, m->by_pid, pid, sizeof pid, p); /* NOLINT: uthash, see sites.c */
}

static bool await_birth(struct assay_merge *m, struct process *p)
{
    if (!has_room(&m->unborn, m->unborn_n, &m->unborn_capacity))
        return false;
    m->unborn[m->unborn_n++] = p;
    return true;
}

/* Oldest first, as a pid may be used again. A place that a later child has taken says that there
 * never was one. */
void merge_learn_pids(struct assay_merge *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->unborn_n; i++) {
        struct process *p = m->unborn[i];
        uint64_t born = atomic_load(&m->control->born[p->fork % RECORDER_BIRTHS]);
        if (born >> 32 < p->fork)
            m->unborn[kept++] = p;
        else if (born >> 32 == p->fork && !p->pid)
            set_pid(m, p, (uint32_t)born);
    }
    m->unborn_n = kept;
}

/* A number -> key table that grows; numbers come from the processes, so they are capped. */
static uint32_t *slot(uint32_t **table, size_t *capacity, uint32_t number)
{
    if (number >= UINT32_C(1) << 22)
        return NULL;
    if (number >= *capacity) {
        size_t next = *capacity ? *capacity : 64;
        while (next <= number)
            next *= 2;
        uint32_t *grown = realloc(*table, next * sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + *capacity, 0, (next - *capacity) * sizeof *grown);
        *table = grown;
        *capacity = next;
    }
    return *table + number;
}

/* Feeding */

int merge_flush(struct assay_merge *m, struct assay_error *err)
{
    size_t n = m->batch_n;
    m->batch_n = 0;
    return n ? assay_assembler_feed(m->assembler, m->batch, n, err) : 0;
}

int merge_feed(struct assay_merge *m, const struct assay_raw *raw, struct assay_error *err)
{
    m->batch[m->batch_n++] = *raw;
    return m->batch_n == MERGE_BATCH ? merge_flush(m, err) : 0;
}

static int feed_life(struct assay_merge *m, unsigned kind, uint32_t pid, uint32_t tid, uint64_t arg,
                     uint64_t time, struct assay_error *err)
{
    struct assay_raw raw = {
        .kind = (uint8_t)kind, .pid = pid, .tid = tid, .arg = arg, .time = time};
    return merge_feed(m, &raw, err);
}

/* Gives a log that speaks for the first time its process. */
static int place_log(struct assay_merge *m, struct log *log, uint64_t time, struct assay_error *err)
{
    const struct recorder_log_header *header = log->header;
    merge_learn_pids(m);
    uint32_t *image = slot(&m->image_process, &m->image_capacity, header->image);
    struct process *p = NULL;
    int rc = 0;
    if (!image)
        return merge_out_of_memory(err);
    if (*image) {
        p = merge_process(m, *image);
    } else if (header->kind == RECORDER_IMAGE_FORKED) {
        uint32_t *forked = slot(&m->fork_process, &m->fork_capacity, header->fork);
        if (!forked)
            return merge_out_of_memory(err);
        p = header->fork ? merge_process(m, *forked) : NULL;
        if (!p) { /* made without fork(): it inherits what its parent has now */
            uint32_t *parent = slot(&m->image_process, &m->image_capacity, header->parent_image);
            image = slot(&m->image_process, &m->image_capacity, header->image);
            uint32_t from = parent && *parent ? *parent : MERGE_ROOT;
            if (!(p = new_process(m, header->pid)))
                return merge_out_of_memory(err);
            p->announced = true;
            rc = feed_life(m, ASSAY_OP_FORK, from, from, p->key, time, err);
        }
    } else {
        p = process_of_pid(m, header->pid);
        if (p && p->exited)
            p = NULL;
        const struct process *parent = process_of_pid(m, header->parent_pid);
        if (!p && !(p = new_process(m, header->pid)))
            return merge_out_of_memory(err);
        p->announced = true;
        rc = feed_life(m, ASSAY_OP_EXEC, p->key, p->key, parent ? parent->key : 0, time, err);
    }
    if (!p)
        return assay_fail(err, ASSAY_E_FORMAT, "the recorder's log %u names no process",
                          log->number);
    *image = p->key;
    set_pid(m, p, header->pid);
    p->image = header->image;
    p->open_logs++;
    log->process = p;
    log->thread = header->tid == header->pid ? p->key : THREAD_KEY | header->thread;
    return rc;
}

bool merge_alive(uint32_t pid)
{
    return pid != 0 && (kill((pid_t)pid, 0) == 0 || errno != ESRCH);
}

int merge_end_process(struct assay_merge *m, struct process *p, uint64_t time,
                      struct assay_error *err)
{
    p->over = true;
    if (p->pid && process_of_pid(m, p->pid) == p)
        HASH_DEL(m->by_pid, p);
    if (!p->exited) /* killed: nobody told how it ended */
        return 0;
    return feed_life(m, ASSAY_OP_EXIT, p->key, p->key, p->status, time, err);
}

/* An exit has its place in the order if the process is gone and said nothing after it; else it
 * waits until that is known. */
static bool was_last(const struct assay_merge *m, const struct process *p,
                     const struct log *speaking)
{
    if (merge_alive(p->pid))
        return false;
    for (size_t i = 0; i < m->log_count; i++) {
        const struct log *log = m->logs[i];
        if (!log->header || (log->process ? log->process != p : log->header->pid != p->pid))
            continue;
        size_t left = log->n - log->at + (size_t)(log->limit - log->consumed);
        if (left > (log == speaking ? 1 : 0))
            return false;
    }
    return true;
}

static int feed_fork(struct assay_merge *m, const struct log *log, uint32_t number, uint64_t time,
                     struct assay_error *err)
{
    uint32_t *forked = slot(&m->fork_process, &m->fork_capacity, number);
    struct process *child = new_process(m, 0);
    if (!forked || !child || !await_birth(m, child))
        return merge_out_of_memory(err);
    *forked = child->key;
    child->fork = number;
    child->announced = true;
    return feed_life(m, ASSAY_OP_FORK, log->process->key, log->thread, child->key, time, err);
}

static void unpack(const struct recorder_record *record, struct log *log, struct assay_raw *raw)
{
    uint64_t pointer = record->what & RECORDER_ADDRESS_MASK;
    unsigned phase = (unsigned)(record->what >> RECORDER_PHASE_SHIFT) & 3;
    unsigned log2 = (unsigned)(record->caller >> RECORDER_LOG2_SHIFT) & 127;
    raw->family = (uint8_t)(record->caller >> RECORDER_FAMILY_SHIFT & 7);
    raw->flags = (uint8_t)phase;
    raw->error = (uint8_t)(record->what >> RECORDER_ERROR_SHIFT);
    raw->caller = record->caller & RECORDER_ADDRESS_MASK;
    raw->size = record->size;
    if (log2 > 0 && log2 <= 64)
        raw->arg = UINT64_C(1) << (log2 - 1);
    if (record->caller >> RECORDER_PACKED_SHIFT & 1) {
        raw->arg = record->size >> 32;
        raw->size = record->size & UINT32_MAX;
    }
    if (record->caller >> RECORDER_WIDE_SHIFT & 1)
        raw->arg = log->extend;
    switch (assay_op_info(raw->kind)->op_class) {
    case ASSAY_CLASS_ALLOCATE: raw->result = pointer; break;
    case ASSAY_CLASS_RESIZE:
        if (phase == ASSAY_FLAG_END)
            raw->result = pointer;
        else
            raw->pointer = pointer;
        break;
    case ASSAY_CLASS_QUERY:
        raw->pointer = pointer;
        raw->result = record->size;
        raw->size = 0;
        break;
    default: raw->pointer = pointer;
    }
}

int merge_feed_record(struct assay_merge *m, struct log *log, const struct recorder_record *record,
                      struct assay_error *err)
{
    unsigned kind = (unsigned)(record->what >> RECORDER_KIND_SHIFT) & 63;
    uint64_t number = record->what & RECORDER_ADDRESS_MASK;
    if (record->stamp > log->last_stamp)
        log->last_stamp = record->stamp;
    uint64_t time = merge_ns(m, log->last_stamp);
    int rc = 0;
    m->fed_ns = time;
    if (!log->process && (rc = place_log(m, log, time, err)) < 0)
        return rc;
    ASSAY_CHECK(log->process);
    switch (kind) {
    case RECORDER_KIND_EXTEND: log->extend = record->size; return 0;
    case ASSAY_OP_FORK: return feed_fork(m, log, (uint32_t)number, time, err);
    case ASSAY_OP_EXIT:
        log->process->exited = true;
        log->process->status = ((uint32_t)record->size & 255) << 8;
        if (log->process->key != MERGE_ROOT && was_last(m, log->process, log))
            return merge_end_process(m, log->process, time, err);
        return 0;
    case ASSAY_OP_THREAD_EXIT:
        log->ended = true;
        return feed_life(m, kind, log->process->key, log->thread, 0, time, err);
    default: break;
    }
    struct assay_raw raw = {
        .time = time, .kind = (uint8_t)kind, .pid = log->process->key, .tid = log->thread};
    unpack(record, log, &raw);
    return merge_feed(m, &raw, err);
}

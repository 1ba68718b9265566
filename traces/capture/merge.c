#include "traces/capture/merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>
#include <x86intrin.h>

#include "traces/capture/maps_line.h"
#include "traces/capture/recorder_log.h"

enum {
    BUFFER = 4096, /* records read at a time */
    BATCH = 2048,  /* records fed at a time */
    ROOT = 1,      /* key of the root process */
    CALIBRATION_NS = 20000000,
    FIRST_PROCESS = 2,
};
#define THREAD_KEY      UINT32_C(0x80000000)
#define DIRECTORY_STEM  "assay-capture-"
#define PUNCH_BYTES     (UINT64_C(4) << 20)
#define MOST_MAPS_BYTES (UINT64_C(64) << 20)

/* One process of the command's tree; its number is the assembler's pid. */
struct process {
    UT_hash_handle hh; /* by kernel pid, while it lives */
    uint32_t pid;      /* 0: not known yet */
    uint32_t key;
    uint32_t image; /* latest */
    uint32_t fork;  /* number of the FORK record that announced it, 0 = none */
    bool announced; /* the assembler knows it */
    bool exited, over;
    uint32_t status;
    unsigned open_logs;
};

struct log {
    uint32_t number;
    struct recorder_log_header *header; /* NULL: not there yet, or done */
    struct process *process;            /* NULL until its first record is fed */
    uint32_t thread;                    /* key */
    uint64_t consumed, limit;           /* records */
    uint64_t punched;                   /* file offset */
    uint64_t last_stamp;
    uint64_t extend;
    bool ended, done;
    struct recorder_record *buffer;
    size_t at, n;
};

struct assay_merge {
    char directory[200];
    struct recorder_control *control;
    uint64_t tsc_start, tsc_per_second;
    struct assay_assembler *assembler;

    struct log **logs; /* by number */
    size_t log_count, log_capacity;
    struct log **heap;
    size_t heap_n, heap_capacity;
    uint64_t dropped, nested; /* of logs that are done */

    struct process **processes; /* by key */
    size_t process_count, process_capacity;
    struct process *by_pid;
    uint32_t *image_process; /* by image number: key, 0 = unknown */
    size_t image_capacity;
    uint32_t *fork_process; /* by fork number: key */
    size_t fork_capacity;
    struct process **unborn; /* announced by a FORK record, pid not known yet; oldest first */
    size_t unborn_n, unborn_capacity;

    struct assay_raw batch[BATCH];
    size_t batch_n;
    uint64_t fed_ns; /* time of the last record */
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t read_tsc(void)
{
    _mm_lfence();
    uint64_t tsc = __rdtsc();
    _mm_lfence();
    return tsc;
}

static void pair_clocks(uint64_t *ret_tsc, uint64_t *ret_ns)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t before = read_tsc(), ns = now_ns(), after = read_tsc();
        if (after - before < best) {
            best = after - before;
            *ret_tsc = before + (after - before) / 2;
            *ret_ns = ns;
        }
    }
}

static uint64_t to_ns(const struct assay_merge *m, uint64_t stamp)
{
    if (m->control->use_counter)
        return 0;
    if (stamp <= m->tsc_start)
        return 0;
    return (uint64_t)((unsigned __int128)(stamp - m->tsc_start) * 1000000000 / m->tsc_per_second);
}

static bool tsc_is_good(void)
{
    char text[32] = "";
    int file = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                    O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t n = read(file, text, sizeof text - 1);
    close(file);
    return n >= 3 && strncmp(text, "tsc", 3) == 0;
}

static int out_of_memory(struct assay_error *err)
{
    return assay_fail(err, ASSAY_E_MEMORY, "out of memory while merging the recorder's logs");
}

/* The spill directory */

static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(path);
}

/* What captures left that were killed. */
static void remove_orphans(const char *parent)
{
    DIR *directory = opendir(parent);
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[512];
        const char *name = entry->d_name;
        if (strncmp(name, DIRECTORY_STEM, sizeof DIRECTORY_STEM - 1) != 0)
            continue;
        long pid = strtol(name + sizeof DIRECTORY_STEM - 1, NULL, 10);
        if (pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH) {
            struct stat status;
            snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
            if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid())
                remove_directory(path);
        }
    }
    closedir(directory);
}

static const char *spill_parent(const struct assay_merge_options *options)
{
    struct statvfs status;
    if (options->directory)
        return options->directory;
    if (statvfs("/dev/shm", &status) == 0 && access("/dev/shm", W_OK) == 0 &&
        (uint64_t)status.f_bavail * status.f_frsize >= UINT64_C(1) << 30)
        return "/dev/shm";
    const char *temporary = getenv("TMPDIR");
    return temporary && *temporary ? temporary : "/tmp";
}

static int map_control(struct assay_merge *m, struct assay_error *err)
{
    char path[256];
    snprintf(path, sizeof path, "%s/control", m->directory);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return assay_fail_errno(err, "cannot create '%s'", path);
    void *control = MAP_FAILED;
    if (ftruncate(file, sizeof *m->control) == 0)
        control = mmap(NULL, sizeof *m->control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (control == MAP_FAILED)
        return assay_fail_errno(err, "cannot map '%s'", path);
    m->control = control;
    return 0;
}

int assay_merge_create(const struct assay_merge_options *options, struct assay_merge **ret_merge,
                       struct assay_error *err)
{
    const char *parent = spill_parent(options);
    struct assay_merge *m = calloc(1, sizeof *m);
    if (!m)
        return out_of_memory(err);
    remove_orphans(parent);
    int rc;
    if ((size_t)snprintf(m->directory, sizeof m->directory, "%s/" DIRECTORY_STEM "%d-XXXXXX",
                         parent, (int)getpid()) >= sizeof m->directory)
        rc = assay_fail(err, ASSAY_E_LIMIT, "the path '%s' is too long for spill files", parent);
    else if (!mkdtemp(m->directory))
        rc = assay_fail_errno(err, "cannot make a directory for spill files in '%s'", parent);
    else
        rc = map_control(m, err);
    if (rc < 0) {
        if (m->directory[0])
            rmdir(m->directory);
        free(m);
        return rc;
    }
    m->control->use_counter = options->use_counter || !tsc_is_good();
    m->control->no_callers = options->no_callers;
    long barriers = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    m->control->full_fence = barriers < 0 || !(barriers & MEMBARRIER_CMD_GLOBAL);
    if (!m->control->use_counter) {
        uint64_t tsc, ns, start_ns;
        const struct timespec pause = {.tv_nsec = CALIBRATION_NS};
        pair_clocks(&m->tsc_start, &start_ns);
        nanosleep(&pause, NULL);
        pair_clocks(&tsc, &ns);
        m->tsc_per_second =
            (uint64_t)((unsigned __int128)(tsc - m->tsc_start) * 1000000000 / (ns - start_ns));
        m->tsc_start = tsc;
    }
    m->control->magic = ASSAY_RECORDER_MAGIC;
    *ret_merge = m;
    return 0;
}

const char *assay_merge_directory(const struct assay_merge *m)
{
    return m->directory;
}

const char *assay_merge_clock(const struct assay_merge *m)
{
    return m->control->use_counter ? "counter" : "tsc";
}

void assay_merge_feed_to(struct assay_merge *m, struct assay_assembler *assembler)
{
    m->assembler = assembler;
}

/* Processes */

static struct process *new_process(struct assay_merge *m, uint32_t pid)
{
    if (m->process_count + FIRST_PROCESS >= THREAD_KEY)
        return NULL;
    if (m->process_count == m->process_capacity) {
        size_t capacity = m->process_capacity ? m->process_capacity * 2 : 64;
        struct process **processes = realloc(m->processes, capacity * sizeof *processes);
        if (!processes)
            return NULL;
        m->processes = processes;
        m->process_capacity = capacity;
    }
    struct process *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->key = ROOT + (uint32_t)m->process_count;
    m->processes[m->process_count++] = p;
    p->pid = pid;
    return p;
}

static struct process *process_of_key(const struct assay_merge *m, uint32_t key)
{
    return key >= ROOT && key - ROOT < m->process_count ? m->processes[key - ROOT] : NULL;
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
    if (m->unborn_n == m->unborn_capacity) {
        size_t capacity = m->unborn_capacity ? m->unborn_capacity * 2 : 64;
        struct process **unborn = realloc(m->unborn, capacity * sizeof *unborn);
        if (!unborn)
            return false;
        m->unborn = unborn;
        m->unborn_capacity = capacity;
    }
    m->unborn[m->unborn_n++] = p;
    return true;
}

/* Takes the pids that forked children have told since; oldest first, as a pid may be used again. A
 * place that a later child has taken says that there never was one. */
static void learn_pids(struct assay_merge *m)
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

static int flush(struct assay_merge *m, struct assay_error *err)
{
    size_t n = m->batch_n;
    m->batch_n = 0;
    return n ? assay_assembler_feed(m->assembler, m->batch, n, err) : 0;
}

static int feed(struct assay_merge *m, const struct assay_raw *raw, struct assay_error *err)
{
    m->batch[m->batch_n++] = *raw;
    return m->batch_n == BATCH ? flush(m, err) : 0;
}

static int feed_life(struct assay_merge *m, unsigned kind, uint32_t pid, uint32_t tid, uint64_t arg,
                     uint64_t time, struct assay_error *err)
{
    struct assay_raw raw = {
        .kind = (uint8_t)kind, .pid = pid, .tid = tid, .arg = arg, .time = time};
    return feed(m, &raw, err);
}

/* Gives a log that speaks for the first time its process. */
static int place_log(struct assay_merge *m, struct log *log, uint64_t time, struct assay_error *err)
{
    const struct recorder_log_header *header = log->header;
    learn_pids(m);
    uint32_t *image = slot(&m->image_process, &m->image_capacity, header->image);
    struct process *p = NULL;
    int rc = 0;
    if (!image)
        return out_of_memory(err);
    if (*image) {
        p = process_of_key(m, *image);
    } else if (header->kind == RECORDER_IMAGE_FORKED) {
        uint32_t *forked = slot(&m->fork_process, &m->fork_capacity, header->fork);
        if (!forked)
            return out_of_memory(err);
        p = header->fork ? process_of_key(m, *forked) : NULL;
        if (!p) { /* made without fork(): it inherits what its parent has now */
            uint32_t *parent = slot(&m->image_process, &m->image_capacity, header->parent_image);
            image = slot(&m->image_process, &m->image_capacity, header->image);
            uint32_t from = parent && *parent ? *parent : ROOT;
            if (!(p = new_process(m, header->pid)))
                return out_of_memory(err);
            p->announced = true;
            rc = feed_life(m, ASSAY_OP_FORK, from, from, p->key, time, err);
        }
    } else {
        p = process_of_pid(m, header->pid);
        if (p && p->exited)
            p = NULL;
        const struct process *parent = process_of_pid(m, header->parent_pid);
        if (!p && !(p = new_process(m, header->pid)))
            return out_of_memory(err);
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

static bool alive(uint32_t pid)
{
    return pid != 0 && (kill((pid_t)pid, 0) == 0 || errno != ESRCH);
}

static int end_process(struct assay_merge *m, struct process *p, uint64_t time,
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
    if (alive(p->pid))
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
        return out_of_memory(err);
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

static int feed_record(struct assay_merge *m, struct log *log, const struct recorder_record *record,
                       struct assay_error *err)
{
    unsigned kind = (unsigned)(record->what >> RECORDER_KIND_SHIFT) & 63;
    uint64_t number = record->what & RECORDER_ADDRESS_MASK;
    if (record->stamp > log->last_stamp)
        log->last_stamp = record->stamp;
    uint64_t time = to_ns(m, log->last_stamp);
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
        if (log->process->key != ROOT && was_last(m, log->process, log))
            return end_process(m, log->process, time, err);
        return 0;
    case ASSAY_OP_THREAD_EXIT:
        log->ended = true;
        return feed_life(m, kind, log->process->key, log->thread, 0, time, err);
    default: break;
    }
    struct assay_raw raw = {
        .time = time, .kind = (uint8_t)kind, .pid = log->process->key, .tid = log->thread};
    unpack(record, log, &raw);
    return feed(m, &raw, err);
}

/* Logs */

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

static int discover(struct assay_merge *m, struct assay_error *err)
{
    size_t count = atomic_load(&m->control->next_log);
    if (count > m->log_capacity) {
        size_t capacity = count * 2;
        struct log **logs = realloc(m->logs, capacity * sizeof *logs);
        if (!logs)
            return out_of_memory(err);
        m->logs = logs;
        m->log_capacity = capacity;
    }
    for (; m->log_count < count; m->log_count++) {
        struct log *log = calloc(1, sizeof *log);
        if (!log)
            return out_of_memory(err);
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

static int read_records(struct assay_merge *m, struct log *log, uint64_t from,
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

/* *ret_record is NULL when the log has nothing up to its limit. */
static int peek(struct assay_merge *m, struct log *log, const struct recorder_record **ret_record,
                struct assay_error *err)
{
    *ret_record = NULL;
    if (log->at == log->n) {
        uint64_t left = log->limit - log->consumed;
        if (left == 0)
            return 0;
        if (!log->buffer && !(log->buffer = malloc(BUFFER * sizeof *log->buffer)))
            return out_of_memory(err);
        size_t n = left < BUFFER ? (size_t)left : BUFFER;
        int rc = read_records(m, log, log->consumed, log->buffer, n, true, err);
        if (rc < 0)
            return rc;
        log->at = 0;
        log->n = n;
        log->consumed += n;
    }
    *ret_record = &log->buffer[log->at];
    return 0;
}

static void close_log(struct assay_merge *m, struct log *log)
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

/* Merging */

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
            return out_of_memory(err);
        m->heap = heap;
        m->heap_capacity = m->log_capacity;
    }
    m->heap_n = 0;
    for (size_t i = 0; i < m->log_count; i++) {
        if (!m->logs[i]->header)
            continue;
        if ((rc = peek(m, m->logs[i], &record, err)) < 0)
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
            if ((rc = feed_record(m, log, &log->buffer[log->at], err)) < 0)
                return rc;
            log->at++;
            if ((rc = peek(m, log, &record, err)) < 0)
                return rc;
        } while (record && record->stamp <= until);
        if (!record)
            m->heap[0] = m->heap[--m->heap_n];
        sift_down(m, 0);
    }
    return flush(m, err);
}

/* Up to where nothing can be missing: now, or the last record of a thread that is just writing one
 * (unless it died so). */
static int watermark(struct assay_merge *m, bool all, uint64_t *ret_cutoff, struct assay_error *err)
{
    uint64_t now = m->control->use_counter ? atomic_load(&m->control->counter) : read_tsc();
    if (!m->control->full_fence)
        syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    atomic_thread_fence(memory_order_seq_cst);
    int rc = discover(m, err);
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
        if (all || !busy || !alive(log->header->pid))
            continue;
        if (log->limit == 0)
            *ret_cutoff = 0;
        else if ((rc = read_records(m, log, log->limit - 1, &last, 1, false, err)) >= 0 &&
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
        bool dead = log->ended || !alive(log->header->pid);
        /* Read after the process was seen dead: what it wrote last is counted. */
        if (dead && atomic_load(&log->header->head) == log->limit)
            close_log(m, log);
    }
    learn_pids(m);
    for (size_t i = 1; i < m->process_count; i++) { /* the root: assay_merge_finish */
        struct process *p = m->processes[i];
        if (!p->over && p->pid && p->open_logs == 0 && !alive(p->pid)) {
            int rc = end_process(m, p, m->fed_ns, err);
            if (rc < 0)
                return rc;
        }
    }
    return flush(m, err);
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
            close_log(m, m->logs[i]);
    for (size_t i = m->process_count; rc >= 0 && i-- > 0;) {
        struct process *p = m->processes[i];
        if (p->over)
            continue;
        if (p->key == ROOT) {
            p->exited = true;
            p->status = (uint32_t)root_status;
        }
        rc = end_process(m, p, m->fed_ns, err);
    }
    const struct assay_raw library = {.kind = ASSAY_OP_FREE, .flags = ASSAY_FLAG_LIBRARY};
    for (uint64_t i = atomic_load(&m->control->library); rc >= 0 && i > 0; i--)
        rc = feed(m, &library, err);
    if (rc >= 0)
        rc = flush(m, err);
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
    remove_directory(m->directory);
    free(m->logs);
    free(m->heap);
    free(m->processes);
    free(m->image_process);
    free(m->fork_process);
    free(m->unborn);
    free(m);
}

/* Maps */

static char *read_text(const char *path, size_t *ret_bytes)
{
    char *text = NULL;
    size_t bytes = 0, capacity = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    for (;;) {
        if (bytes == capacity) {
            capacity = capacity ? capacity * 2 : 65536;
            char *grown = capacity <= MOST_MAPS_BYTES ? realloc(text, capacity) : NULL;
            if (!grown)
                break;
            text = grown;
        }
        ssize_t n = read(file, text + bytes, capacity - bytes);
        if (n <= 0)
            break;
        bytes += (size_t)n;
    }
    close(file);
    *ret_bytes = bytes;
    return text;
}

static bool covers(const char *text, size_t bytes, uint64_t address, char *path, size_t path_bytes)
{
    struct assay_maps_line line;
    for (const char *at = text; assay_maps_line_next(&at, text + bytes, &line);)
        if (line.start <= address && address < line.end) {
            snprintf(path, path_bytes, "%.*s", (int)path_bytes - 1, line.path);
            return true;
        }
    return false;
}

/* The image's own snapshot (at its start, again at its end), else the process itself while it is
 * there. */
static char *maps_of(const struct assay_merge *m, uint32_t image, uint32_t pid, uint64_t address,
                     size_t *ret_bytes)
{
    char path[256], module[4096];
    snprintf(path, sizeof path, "%s/maps.%u", m->directory, image);
    char *text = read_text(path, ret_bytes);
    if (text && covers(text, *ret_bytes, address, module, sizeof module))
        return text;
    free(text);
    snprintf(path, sizeof path, "/proc/%u/maps", pid);
    text = read_text(path, ret_bytes);
    if (text && covers(text, *ret_bytes, address, module, sizeof module))
        return text;
    free(text);
    return NULL;
}

void assay_merge_need_maps(void *self, uint32_t pid, uint64_t address)
{
    const struct assay_merge *m = self;
    const struct process *p = process_of_key(m, pid);
    size_t bytes;
    if (!p)
        return;
    char *text = maps_of(m, p->image, p->pid, address, &bytes);
    if (text) /* out of memory here costs a module name, not the trace */
        (void)assay_assembler_maps(m->assembler, pid, text, bytes, NULL);
    free(text);
}

bool assay_merge_allocator(struct assay_merge *m, char *path, size_t bytes)
{
    path[0] = '\0';
    if (discover(m, NULL) < 0 || m->log_count == 0 || !m->logs[0]->header)
        return false;
    const struct recorder_log_header *header = m->logs[0]->header;
    size_t text_bytes;
    char *text = maps_of(m, header->image, header->pid, header->next_malloc, &text_bytes);
    if (text)
        covers(text, text_bytes, header->next_malloc, path, bytes);
    free(text);
    return true;
}

/* See ebpf_maps.h. */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <uthash.h>

#include "traces/capture/ebpf_maps.h"

enum { RING_PAGES = 128 };

struct ring {
    int fd;
    struct perf_event_mmap_page *page;
};

struct process {
    uint32_t id, parent;
    uint64_t forked; /* time up to which the parent's mappings are this process's too */
    struct assay_mapping *mappings;
    size_t n, capacity;
    UT_hash_handle hh;
};

struct file {
    char *path;
    unsigned mappings;
};

struct assay_maps {
    struct ring *rings;
    size_t n_rings;
    struct process *processes;
    struct file *files; /* each path once */
    size_t n_files, files_capacity;
};

static int open_ring(struct ring *ring, pid_t pid, int cpu)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof attr,
                                   .config = PERF_COUNT_SW_DUMMY,
                                   .sample_type = PERF_SAMPLE_TIME,
                                   .inherit = 1,
                                   .mmap = 1,
                                   .mmap2 = 1,
                                   .sample_id_all = 1,
                                   .use_clockid = 1,
                                   .clockid = CLOCK_MONOTONIC};
    ring->fd = (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (ring->fd < 0)
        return -errno;
    size_t bytes = (size_t)(1 + RING_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    ring->page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
    if (ring->page == MAP_FAILED) {
        int error = errno;
        ring->page = NULL;
        close(ring->fd);
        ring->fd = -1;
        return -error;
    }
    return 0;
}

int assay_maps_create(pid_t pid, struct assay_maps **ret_maps, struct assay_error *err)
{
    long n = sysconf(_SC_NPROCESSORS_CONF);
    struct assay_maps *maps = calloc(1, sizeof *maps);
    if (!maps || !(maps->rings = calloc(n > 0 ? (size_t)n : 1, sizeof *maps->rings))) {
        free(maps);
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    }
    int rc = -ENODEV;
    for (int cpu = 0; cpu < n; cpu++) {
        rc = open_ring(&maps->rings[maps->n_rings], pid, cpu);
        if (rc == 0)
            maps->n_rings++;
        else if (rc != -ENODEV && rc != -ENXIO) /* a processor that is off */
            break;
    }
    if (maps->n_rings == 0 || (rc < 0 && rc != -ENODEV && rc != -ENXIO)) {
        errno = -rc;
        assay_fail_errno(err, "cannot watch the mappings of process %d", (int)pid);
        assay_maps_free(maps);
        return ASSAY_E_SYSTEM;
    }
    *ret_maps = maps;
    return 0;
}

void assay_maps_free(struct assay_maps *maps)
{
    if (!maps)
        return;
    size_t bytes = (size_t)(1 + RING_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < maps->n_rings; i++) {
        munmap(maps->rings[i].page, bytes);
        close(maps->rings[i].fd);
    }
    struct process *process = maps->processes, *next;
    HASH_CLEAR(hh, maps->processes);
    for (; process; process = next) {
        next = process->hh.next;
        free(process->mappings);
        free(process);
    }
    for (size_t i = 0; i < maps->n_files; i++)
        free(maps->files[i].path);
    free(maps->files);
    free(maps->rings);
    free(maps);
}

static struct process *get_process(struct assay_maps *maps, uint32_t id)
{
    struct process *process;
    HASH_FIND(hh, maps->processes, &id, sizeof id, process);
    if (!process && (process = calloc(1, sizeof *process))) {
        process->id = id;
        HASH_ADD(hh, maps->processes, id, sizeof process->id, process);
    }
    return process;
}

static const char *intern(struct assay_maps *maps, const char *path)
{
    for (size_t i = maps->n_files; i > 0; i--)
        if (strcmp(maps->files[i - 1].path, path) == 0) {
            maps->files[i - 1].mappings++;
            return maps->files[i - 1].path;
        }
    if (maps->n_files == maps->files_capacity) {
        size_t capacity = maps->files_capacity ? 2 * maps->files_capacity : 64;
        struct file *files = realloc(maps->files, capacity * sizeof *files);
        if (!files)
            return NULL;
        maps->files = files;
        maps->files_capacity = capacity;
    }
    char *copy = strdup(path);
    if (copy)
        maps->files[maps->n_files++] = (struct file){.path = copy, .mappings = 1};
    return copy;
}

const char *assay_maps_file(const struct assay_maps *maps, size_t i, unsigned *ret_mappings)
{
    if (i >= maps->n_files)
        return NULL;
    *ret_mappings = maps->files[i].mappings;
    return maps->files[i].path;
}

/* The kernel's layout of a PERF_RECORD_MMAP2 up to the file name. */
struct mmap2_record {
    struct perf_event_header header;
    uint32_t pid, tid;
    uint64_t address, length, offset;
    uint32_t major, minor;
    uint64_t inode, generation;
    uint32_t protection, flags;
    char name[];
};

static int add_mapping(struct assay_maps *maps, const struct mmap2_record *record, uint64_t time)
{
    if (record->name[0] != '/' && record->name[0] != '[')
        return 0;
    struct process *process = get_process(maps, record->pid);
    const char *path = intern(maps, record->name);
    if (!process || !path)
        return -ENOMEM;
    if (process->n == process->capacity) {
        size_t capacity = process->capacity ? 2 * process->capacity : 16;
        struct assay_mapping *mappings = realloc(process->mappings, capacity * sizeof *mappings);
        if (!mappings)
            return -ENOMEM;
        process->mappings = mappings;
        process->capacity = capacity;
    }
    process->mappings[process->n++] =
        (struct assay_mapping){.start = record->address,
                               .end = record->address + record->length,
                               .offset = record->offset,
                               .device_major = record->major,
                               .device_minor = record->minor,
                               .inode = record->inode,
                               .time = time,
                               .process = record->pid,
                               .path = path};
    return 0;
}

static int drain(struct assay_maps *maps, struct ring *ring)
{
    const uint64_t size = (uint64_t)RING_PAGES * (uint64_t)sysconf(_SC_PAGESIZE);
    const char *data = (const char *)ring->page + sysconf(_SC_PAGESIZE);
    uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
    uint64_t tail = ring->page->data_tail;
    int rc = 0;
    while (tail < head && rc == 0) {
        _Alignas(8) char copy[8192];
        struct perf_event_header header;
        for (size_t i = 0; i < sizeof header; i++)
            ((char *)&header)[i] = data[(tail + i) % size];
        if (header.size < sizeof header)
            break;
        if (header.type == PERF_RECORD_MMAP2 && header.size < sizeof copy &&
            header.size > sizeof(struct mmap2_record) + sizeof(uint64_t)) {
            uint64_t time;
            for (size_t i = 0; i < header.size; i++)
                copy[i] = data[(tail + i) % size];
            memcpy(&time, copy + header.size - sizeof time, sizeof time);
            copy[header.size - sizeof time] = 0;
            rc = add_mapping(maps, (const struct mmap2_record *)copy, time);
        }
        tail += header.size;
    }
    __atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
    return rc;
}

int assay_maps_update(struct assay_maps *maps, struct assay_error *err)
{
    for (size_t i = 0; i < maps->n_rings; i++)
        if (drain(maps, &maps->rings[i]) < 0)
            return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    return 0;
}

int assay_maps_fork(struct assay_maps *maps, uint32_t parent, uint32_t child, uint64_t time,
                    struct assay_error *err)
{
    struct process *process = get_process(maps, child);
    if (!process)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    process->parent = parent;
    process->forked = time;
    return 0;
}

const struct assay_mapping *assay_maps_find(struct assay_maps *maps, uint32_t id, uint64_t address,
                                            uint64_t time)
{
    for (int depth = 0; depth < 64 && id != 0; depth++) {
        struct process *process;
        HASH_FIND(hh, maps->processes, &id, sizeof id, process);
        if (!process)
            return NULL;
        const struct assay_mapping *newest = NULL; /* one ring per processor: not in order */
        for (size_t i = 0; i < process->n; i++) {
            const struct assay_mapping *m = &process->mappings[i];
            if (m->time <= time && address >= m->start && address < m->end &&
                (!newest || m->time > newest->time))
                newest = m;
        }
        if (newest)
            return newest;
        id = process->parent;
        if (process->forked && process->forked < time)
            time = process->forked;
    }
    return NULL;
}

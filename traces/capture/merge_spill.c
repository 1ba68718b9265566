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
#include <x86intrin.h>

#include "traces/capture/merge_internal.h"
#include "traces/core/clock.h"

enum { CALIBRATION_NS = 20000000 };
#define DIRECTORY_STEM "assay-capture-"

/* Clocks */

uint64_t merge_read_tsc(void)
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
        uint64_t before = merge_read_tsc(), ns = assay_now_ns(), after = merge_read_tsc();
        if (after - before < best) {
            best = after - before;
            *ret_tsc = before + (after - before) / 2;
            *ret_ns = ns;
        }
    }
}

uint64_t merge_ns(const struct assay_merge *m, uint64_t stamp)
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

/* The spill directory */

void merge_remove_directory(const char *path)
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
                merge_remove_directory(path);
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
        return merge_out_of_memory(err);
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

/* See ebpf_threads.h. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/capture/ebpf_threads.h"
#include "traces/event.h"

enum { PAGE_MASK = 0xfff };

/* An executable mapping of this process, which the forked child has too. */
struct own_mapping {
    uint64_t start, end, offset;
    char path[4096];
};

static bool own_mapping_of(uint64_t address, struct own_mapping *ret_mapping)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[4400];
    bool found = false;
    while (maps && !found && fgets(line, sizeof line, maps)) {
        /* start-end mode offset device inode path */
        char *at = line;
        uint64_t start = strtoull(at, &at, 16), end = strtoull(at + (*at == '-'), &at, 16);
        const char *path = strchr(line, '/');
        if (address < start || address >= end || strlen(at) < 7 || !path)
            continue;
        found = true;
        *ret_mapping = (struct own_mapping){
            .start = start, .end = end, .offset = strtoull(at + sizeof " r-xp", NULL, 16)};
        snprintf(ret_mapping->path, sizeof ret_mapping->path, "%.*s", (int)strcspn(path, "\n"),
                 path);
    }
    if (maps)
        fclose(maps);
    return found;
}

static void *thread_main(void *unused)
{
    void *volatile objects[4];
    (void)unused;
    for (size_t i = 0; i < 4; i++)
        objects[i] = malloc(24 + 40 * i);
    for (size_t i = 0; i < 4; i++)
        free(objects[i]);
    return NULL;
}

_Noreturn static void child_main(const int fds[2])
{
    char byte;
    pthread_t thread;
    close(fds[1]);
    if (read(fds[0], &byte, 1) != 1 || pthread_create(&thread, NULL, thread_main, NULL) != 0)
        _exit(1);
    pthread_join(thread, NULL);
    _exit(0);
}

struct measure {
    const struct own_mapping *libc;
    struct assay_exit_frees *frees;
    bool over; /* the thread has exited */
};

static int take(void *self, const struct assay_ebpf_record *record)
{
    struct measure *m = self;
    size_t n;
    if (record->thread == record->process || m->over)
        return 0;
    if (record->type == ASSAY_EBPF_THREAD_EXIT) {
        m->over = true;
        return 0;
    }
    if (record->type == ASSAY_EBPF_CALL && record->address == 0)
        return 0; /* free(NULL) on the way: with a pointer there it would be a free like any other
                   */
    bool release = record->type == ASSAY_EBPF_CALL &&
                   assay_ebpf_functions(&n)[record->function].kind == ASSAY_OP_FREE;
    if (!release || record->caller < m->libc->start || record->caller >= m->libc->end) {
        m->frees->n = 0; /* what came before was not the thread's end */
        return 0;
    }
    uint64_t offset = record->caller - m->libc->start + m->libc->offset;
    for (unsigned i = 0; i < m->frees->n; i++)
        if (m->frees->offsets[i] == offset)
            return 0;
    if (m->frees->n < sizeof m->frees->offsets / sizeof *m->frees->offsets)
        m->frees->offsets[m->frees->n++] = offset;
    return 0;
}

void assay_exit_frees_measure(struct assay_ebpf *ebpf, struct assay_exit_frees *ret_frees)
{
    struct own_mapping libc;
    struct stat st;
    int fds[2];
    *ret_frees = (struct assay_exit_frees){0};
    /* by dlsym: a direct reference may be the executable's own stub */
    void *start = dlsym(RTLD_DEFAULT, "__libc_start_main");
    if (!start || !own_mapping_of((uintptr_t)start, &libc) || stat(libc.path, &st) < 0 ||
        pipe2(fds, O_CLOEXEC) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        child_main(fds);
    close(fds[0]);
    if (pid > 0) {
        bool followed = assay_ebpf_follow(ebpf, pid, NULL) == 0 && write(fds[1], "", 1) == 1;
        close(fds[1]);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        struct measure m = {.libc = &libc, .frees = ret_frees};
        while (assay_ebpf_consume(ebpf, take, &m) > 0)
            ;
        if (!followed || !m.over)
            ret_frees->n = 0;
    } else {
        close(fds[1]);
    }
    ret_frees->device = st.st_dev;
    ret_frees->inode = st.st_ino;
}

bool assay_exit_frees_match(const struct assay_exit_frees *frees, struct assay_maps *maps,
                            uint32_t process, const struct assay_ebpf_record *record)
{
    if (record->thread == record->process)
        return false;
    for (unsigned i = 0; i < frees->n; i++) {
        if (((frees->offsets[i] ^ record->caller) & PAGE_MASK) != 0)
            continue;
        assay_maps_update(maps, NULL);
        const struct assay_mapping *m =
            assay_maps_find(maps, process, record->caller, record->time);
        if (m && m->inode == frees->inode &&
            record->caller - m->start + m->offset == frees->offsets[i])
            return true;
    }
    return false;
}

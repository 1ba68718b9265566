#include "traces/runner/random_calls.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BLOCK_BYTES = 4096 /* PIPE_BUF: written whole or not at all */ };
enum { STREAM_CALLS, STREAM_AT_RANDOM, STREAM_DEVICES };

static const struct assay_call_answer go_on = {.go_on = true};

static void start_stream(const struct assay_random_calls *calls, struct assay_random *ret_bytes,
                         uint64_t number)
{
    assay_random_seed(ret_bytes, calls->seed ^ (number + 1) * UINT64_C(0xd1342543de82ef95));
}

static void fill(struct assay_random *bytes, char *buffer, size_t length)
{
    for (size_t at = 0; at < length; at += sizeof(uint64_t)) {
        uint64_t word = assay_random_next(bytes);
        memcpy(buffer + at, &word, length - at < sizeof word ? length - at : sizeof word);
    }
}

/* What stands at an address of the caller, as far as its page goes on. */
static ssize_t peek(const struct seccomp_notif *call, uint64_t address, void *buffer, size_t length)
{
    enum { PAGE = 4096 };
    size_t first = (size_t)(PAGE - address % PAGE);
    const struct iovec own = {buffer, length};
    const struct iovec theirs[2] = {
        {(void *)(uintptr_t)address, first < length ? first : length},
        {(void *)(uintptr_t)(address + first), first < length ? length - first : 0}};
    return process_vm_readv((pid_t)call->pid, &own, 1, theirs, 2, 0);
}

/* The caller's memory, or -1. The number of a dead process may be another's by now: only a call
 * that still waits proves that this is the one. */
static int open_memory(struct assay_random_calls *calls, const struct seccomp_notif *call)
{
    char path[64];
    uint64_t id = call->id;
    snprintf(path, sizeof path, "/proc/%u/mem", call->pid);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        atomic_fetch_add(&calls->missed, 1);
    if (fd >= 0 && ioctl(calls->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static struct assay_call_answer answer_getrandom(struct assay_random_calls *calls,
                                                 const struct seccomp_notif *call)
{
    enum { ALL = GRND_NONBLOCK | GRND_RANDOM | 4 /* GRND_INSECURE */ };
    uint64_t address = call->data.args[0], length = call->data.args[1], done = 0;
    unsigned flags = (unsigned)call->data.args[2];
    if (flags & ~(unsigned)ALL || length > INT32_MAX)
        return go_on; /* refused by the kernel, or needed by nobody */
    int memory = open_memory(calls, call);
    if (memory < 0)
        return go_on;
    while (done < length) {
        char block[BLOCK_BYTES];
        size_t some = length - done < sizeof block ? (size_t)(length - done) : sizeof block;
        fill(&calls->bytes, block, some);
        ssize_t n = pwrite(memory, block, some, (off_t)(address + done));
        if (n <= 0)
            break;
        done += (uint64_t)n;
    }
    close(memory);
    atomic_fetch_add(&calls->answered, 1);
    if (done == 0 && length > 0)
        return (struct assay_call_answer){.error = EFAULT};
    return (struct assay_call_answer){.value = (int64_t)done};
}

void assay_random_calls_feed(struct assay_random_device *device)
{
    for (;;) {
        char block[BLOCK_BYTES];
        struct assay_random before = device->bytes;
        fill(&device->bytes, block, sizeof block);
        if (write(device->fd, block, sizeof block) == (ssize_t)sizeof block)
            continue;
        device->bytes = before;
        if (errno != EAGAIN && errno != EINTR) {
            close(device->fd); /* no reader is left */
            device->fd = -1;
        }
        return;
    }
}

static struct assay_random_device *free_device(struct assay_random_calls *calls)
{
    for (int i = 0; i < ASSAY_RANDOM_DEVICES; i++)
        if (calls->devices[i].fd < 0)
            return &calls->devices[i];
    return NULL;
}

/* A pipe, for it never ends: a file of seeded bytes would, and a subject may not expect that. */
static struct assay_call_answer open_device(struct assay_random_calls *calls,
                                            const struct seccomp_notif *call, uint64_t flags)
{
    int ends[2];
    struct assay_random_device *device = free_device(calls);
    if (!device || flags & (O_ACCMODE | O_PATH | O_DIRECTORY) || pipe2(ends, O_CLOEXEC) != 0) {
        atomic_fetch_add(&calls->missed, 1);
        return go_on;
    }
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    start_stream(calls, &device->bytes, STREAM_DEVICES + calls->opened++);
    device->fd = ends[1];
    assay_random_calls_feed(device);
    struct seccomp_notif_addfd gift = {
        .id = call->id, .srcfd = (unsigned)ends[0], .newfd_flags = (unsigned)(flags & O_CLOEXEC)};
    int fd = ioctl(calls->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &gift);
    int error = errno;
    close(ends[0]);
    if (fd < 0)
        return (struct assay_call_answer){.error = error};
    atomic_fetch_add(&calls->answered, 1);
    return (struct assay_call_answer){.value = fd};
}

/* Before the loader looks: it takes the secrets of stack protector and pointer guard from here,
 * some allocators theirs. */
static void write_at_random(struct assay_random_calls *calls, const struct seccomp_notif *call)
{
    char path[64], bytes[16];
    Elf64_auxv_t vector[64];
    struct assay_random stream;
    int memory = open_memory(calls, call);
    if (memory < 0)
        return;
    snprintf(path, sizeof path, "/proc/%u/auxv", call->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, vector, sizeof vector), written = 0;
    start_stream(calls, &stream, STREAM_AT_RANDOM);
    fill(&stream, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof *vector; i++)
        if (vector[i].a_type == AT_RANDOM)
            written = pwrite(memory, bytes, sizeof bytes, (off_t)vector[i].a_un.a_val);
    if (written != sizeof bytes)
        atomic_fetch_add(&calls->missed, 1);
    if (fd >= 0)
        close(fd);
    close(memory);
}

static struct assay_call_answer answer_open(struct assay_random_calls *calls,
                                            const struct seccomp_notif *call)
{
    int first = call->data.nr == SYS_openat; /* where the path is */
    char path[16] = "";
    if (!calls->at_random_written && (pid_t)call->pid == calls->child) {
        calls->at_random_written = true;
        write_at_random(calls, call);
    }
    if (peek(call, call->data.args[first], path, sizeof path - 1) < 0 && errno == EPERM)
        atomic_fetch_add(&calls->missed, 1);
    if (strcmp(path, "/dev/urandom") == 0 || strcmp(path, "/dev/random") == 0)
        return open_device(calls, call, call->data.args[first + 1]);
    return go_on;
}

int assay_random_calls_numbers(int ret_numbers[ASSAY_RANDOM_CALLS])
{
    int count = 0;
    ret_numbers[count++] = SYS_getrandom;
    ret_numbers[count++] = SYS_openat;
#ifdef SYS_open
    ret_numbers[count++] = SYS_open;
#endif
    return count;
}

void assay_random_calls_init(struct assay_random_calls *calls, uint64_t seed)
{
    calls->seed = seed;
    calls->listener = -1;
    start_stream(calls, &calls->bytes, STREAM_CALLS);
    for (int i = 0; i < ASSAY_RANDOM_DEVICES; i++)
        calls->devices[i].fd = -1;
}

void assay_random_calls_close(struct assay_random_calls *calls)
{
    for (int i = 0; i < ASSAY_RANDOM_DEVICES; i++)
        if (calls->devices[i].fd >= 0)
            close(calls->devices[i].fd);
}

struct assay_call_answer assay_random_calls_answer(struct assay_random_calls *calls,
                                                   const struct seccomp_notif *call)
{
    return call->data.nr == SYS_getrandom ? answer_getrandom(calls, call)
                                          : answer_open(calls, call);
}

#include "traces/runner/supervise.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/core/random.h"
#include "traces/runner/shared.h"

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
#error "which AUDIT_ARCH is this machine's?"
#endif

enum {
    FILTER_ROOM = 16,
    DEVICES = 16,      /* openings of random devices that are read at the same time */
    BLOCK_BYTES = 4096 /* PIPE_BUF: written whole or not at all */
};

enum { STREAM_CALLS, STREAM_AT_RANDOM, STREAM_DEVICES };

/* An opened /dev/random is the read end of a pipe; this is the other one. */
struct device {
    int fd; /* -1: free */
    struct assay_random bytes;
};

struct assay_supervisor {
    struct assay_supervise_config config;
    struct sock_filter filter[FILTER_ROOM];
    unsigned short filter_length;
    int sockets[2]; /* the host's, the child's */
    int stop, listener;
    bool started;
    pthread_t thread;
    pid_t child;
    bool at_random_written;
    struct assay_random bytes;
    struct device devices[DEVICES];
    uint64_t opened;
    struct assay_mapping_faults faults;
    _Atomic bool installed;
    _Atomic int refused;
    _Atomic uint64_t answered, missed;
};

/* What the child says when it entered: its listener comes along. */
struct hello {
    int refused; /* errno */
    pid_t pid;
};

struct answer {
    bool go_on; /* the kernel does as it is asked */
    int64_t value;
    int error; /* errno */
};

static const struct answer go_on = {.go_on = true};

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- the child's side ----------------------------------------------------------------------- */

static const int frozen_calls[] = {
    SYS_getrandom,
    SYS_openat,
#ifdef SYS_open
    SYS_open,
#endif
};
enum { FROZEN_CALLS = sizeof frozen_calls / sizeof *frozen_calls };

/* The calls to look at; returns how many. */
static int choose_calls(const struct assay_supervise_config *config,
                        int ret_numbers[FROZEN_CALLS + ASSAY_MAPPING_CALLS])
{
    int count = 0;
    for (int i = 0; config->frozen && i < FROZEN_CALLS; i++)
        ret_numbers[count++] = frozen_calls[i];
    for (int kind = 0; kind < ASSAY_MAPPING_CALLS; kind++)
        if (config->faults.kinds >> kind & 1)
            ret_numbers[count++] = assay_mapping_number((enum assay_mapping_call)kind);
    return count;
}

static void make_filter(struct assay_supervisor *supervisor)
{
    int numbers[FROZEN_CALLS + ASSAY_MAPPING_CALLS];
    int count = choose_calls(&supervisor->config, numbers);
    struct sock_filter *at = supervisor->filter;
    *at++ =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
    *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    *at++ =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < count; i++)
        *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i],
                                             (unsigned char)(count - i), 0);
    *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    supervisor->filter_length = (unsigned short)(at - supervisor->filter);
}

static int install(const struct assay_supervisor *supervisor)
{
    const struct sock_fprog program = {supervisor->filter_length,
                                       (struct sock_filter *)(uintptr_t)supervisor->filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    /* SPEC_ALLOW: kernels before 5.16 slow a filtered process down against speculation */
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                        SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                        &program);
}

void assay_supervisor_enter(const struct assay_supervisor *supervisor)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct hello hello = {.pid = getpid()};
    struct iovec data = {&hello, sizeof hello};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    int listener = install(supervisor);
    if (listener < 0) {
        hello.refused = errno;
    } else {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.room;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
    }
    /* should it fail, the listener ends with the exec and so does the child: ENOSYS on its opens */
    (void)sendmsg(supervisor->sockets[1], &message, MSG_NOSIGNAL);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void start_stream(const struct assay_supervisor *supervisor, struct assay_random *ret_bytes,
                         uint64_t number)
{
    assay_random_seed(ret_bytes,
                      supervisor->config.seed ^ (number + 1) * UINT64_C(0xd1342543de82ef95));
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
static int open_memory(struct assay_supervisor *supervisor, const struct seccomp_notif *call)
{
    char path[64];
    uint64_t id = call->id;
    snprintf(path, sizeof path, "/proc/%u/mem", call->pid);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        atomic_fetch_add(&supervisor->missed, 1);
    if (fd >= 0 && ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static struct answer answer_getrandom(struct assay_supervisor *supervisor,
                                      const struct seccomp_notif *call)
{
    enum { ALL = GRND_NONBLOCK | GRND_RANDOM | 4 /* GRND_INSECURE */ };
    uint64_t address = call->data.args[0], length = call->data.args[1], done = 0;
    unsigned flags = (unsigned)call->data.args[2];
    if (flags & ~(unsigned)ALL || length > INT32_MAX)
        return go_on; /* refused by the kernel, or needed by nobody */
    int memory = open_memory(supervisor, call);
    if (memory < 0)
        return go_on;
    while (done < length) {
        char block[BLOCK_BYTES];
        size_t some = length - done < sizeof block ? (size_t)(length - done) : sizeof block;
        fill(&supervisor->bytes, block, some);
        ssize_t n = pwrite(memory, block, some, (off_t)(address + done));
        if (n <= 0)
            break;
        done += (uint64_t)n;
    }
    close(memory);
    atomic_fetch_add(&supervisor->answered, 1);
    if (done == 0 && length > 0)
        return (struct answer){.error = EFAULT};
    return (struct answer){.value = (int64_t)done};
}

static void feed_device(struct device *device)
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

static struct device *free_device(struct assay_supervisor *supervisor)
{
    for (int i = 0; i < DEVICES; i++)
        if (supervisor->devices[i].fd < 0)
            return &supervisor->devices[i];
    return NULL;
}

/* A pipe, for it never ends: a file of seeded bytes would, and a subject may not expect that. */
static struct answer open_device(struct assay_supervisor *supervisor,
                                 const struct seccomp_notif *call, uint64_t flags)
{
    int ends[2];
    struct device *device = free_device(supervisor);
    if (!device || flags & (O_ACCMODE | O_PATH | O_DIRECTORY) || pipe2(ends, O_CLOEXEC) != 0) {
        atomic_fetch_add(&supervisor->missed, 1);
        return go_on;
    }
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    start_stream(supervisor, &device->bytes, STREAM_DEVICES + supervisor->opened++);
    device->fd = ends[1];
    feed_device(device);
    struct seccomp_notif_addfd gift = {
        .id = call->id, .srcfd = (unsigned)ends[0], .newfd_flags = (unsigned)(flags & O_CLOEXEC)};
    int fd = ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &gift);
    int error = errno;
    close(ends[0]);
    if (fd < 0)
        return (struct answer){.error = error};
    atomic_fetch_add(&supervisor->answered, 1);
    return (struct answer){.value = fd};
}

/* Before the loader looks: it takes the secrets of stack protector and pointer guard from here,
 * some allocators theirs. */
static void write_at_random(struct assay_supervisor *supervisor, const struct seccomp_notif *call)
{
    char path[64], bytes[16];
    Elf64_auxv_t vector[64];
    struct assay_random stream;
    int memory = open_memory(supervisor, call);
    if (memory < 0)
        return;
    snprintf(path, sizeof path, "/proc/%u/auxv", call->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, vector, sizeof vector), written = 0;
    start_stream(supervisor, &stream, STREAM_AT_RANDOM);
    fill(&stream, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof *vector; i++)
        if (vector[i].a_type == AT_RANDOM)
            written = pwrite(memory, bytes, sizeof bytes, (off_t)vector[i].a_un.a_val);
    if (written != sizeof bytes)
        atomic_fetch_add(&supervisor->missed, 1);
    close_if_open(&fd);
    close(memory);
}

static struct answer answer_open(struct assay_supervisor *supervisor,
                                 const struct seccomp_notif *call)
{
    int first = call->data.nr == SYS_openat; /* where the path is */
    char path[16] = "";
    if (!supervisor->at_random_written && (pid_t)call->pid == supervisor->child) {
        supervisor->at_random_written = true;
        write_at_random(supervisor, call);
    }
    if (peek(call, call->data.args[first], path, sizeof path - 1) < 0 && errno == EPERM)
        atomic_fetch_add(&supervisor->missed, 1);
    if (strcmp(path, "/dev/urandom") == 0 || strcmp(path, "/dev/random") == 0)
        return open_device(supervisor, call, call->data.args[first + 1]);
    return go_on;
}

/* The runner tells by shared memory where it is; it waits in this call, so that holds still. */
static struct answer answer_mapping(struct assay_supervisor *supervisor,
                                    const struct seccomp_notif *call, enum assay_mapping_call kind)
{
    const struct assay_shared *shared = supervisor->config.shared;
    struct assay_mapping_faults *faults = &supervisor->faults;
    bool ready = atomic_load(&shared->boot) == ASSAY_BOOT_READY;
    uint64_t asked = call->data.args[0];
    if (kind == ASSAY_MAPPING_BRK && asked == 0)
        return go_on; /* only asks where the break is */
    if (ready && assay_mapping_fails(faults, kind, atomic_load(&shared->progress))) {
        if (kind != ASSAY_MAPPING_BRK)
            return (struct answer){.error = ENOMEM};
        return (struct answer){.value = (int64_t)assay_mapping_break(faults, (pid_t)call->pid)};
    }
    if (kind == ASSAY_MAPPING_BRK)
        faults->asked_break = asked;
    return go_on;
}

static struct answer answer(struct assay_supervisor *supervisor, const struct seccomp_notif *call)
{
    int kind = assay_mapping_kind(call->data.nr);
    if (kind >= 0)
        return answer_mapping(supervisor, call, (enum assay_mapping_call)kind);
    return call->data.nr == SYS_getrandom ? answer_getrandom(supervisor, call)
                                          : answer_open(supervisor, call);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void answer_next(struct assay_supervisor *supervisor)
{
    struct seccomp_notif call = {0};
    if (ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
        return; /* the caller died meanwhile */
    struct answer given = answer(supervisor, &call);
    struct seccomp_notif_resp response = {.id = call.id,
                                          .val = given.value,
                                          .error = -given.error,
                                          .flags =
                                              given.go_on ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0};
    /* fails only when the caller is gone or a signal takes it away, and then it asks again */
    (void)ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* Waits for the child's listener. False: there is none. */
static bool take_listener(struct assay_supervisor *supervisor)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct hello hello;
    struct iovec data = {&hello, sizeof hello};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.room};
    struct pollfd wait[2] = {{supervisor->sockets[0], POLLIN, 0}, {supervisor->stop, POLLIN, 0}};
    while (poll(wait, 2, -1) < 0)
        if (errno != EINTR)
            return false;
    if (recvmsg(supervisor->sockets[0], &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != sizeof hello)
        return false;
    supervisor->child = hello.pid;
    atomic_store(&supervisor->refused, hello.refused);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (hello.refused || !header)
        return false;
    memcpy(&supervisor->listener, CMSG_DATA(header), sizeof supervisor->listener);
    atomic_store(&supervisor->installed, true);
    return true;
}

static void *supervise(void *self)
{
    struct assay_supervisor *supervisor = self;
    if (!take_listener(supervisor))
        return NULL;
    for (;;) {
        struct pollfd wait[2 + DEVICES] = {{supervisor->stop, POLLIN, 0},
                                           {supervisor->listener, POLLIN, 0}};
        for (int i = 0; i < DEVICES; i++)
            wait[2 + i] = (struct pollfd){supervisor->devices[i].fd, POLLOUT, 0};
        if (poll(wait, 2 + DEVICES, -1) < 0 && errno != EINTR)
            return NULL;
        if (wait[0].revents || wait[1].revents & (POLLHUP | POLLERR))
            return NULL; /* closed, or nobody lives under the filter */
        for (int i = 0; i < DEVICES; i++)
            if (wait[2 + i].revents)
                feed_device(&supervisor->devices[i]);
        if (wait[1].revents & POLLIN)
            answer_next(supervisor);
    }
}

/* ---- a supervisor's life -------------------------------------------------------------------- */

static int start_thread(struct assay_supervisor *supervisor, struct assay_error *err)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the main thread's; SIGPIPE is nobody's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&supervisor->thread, NULL, supervise, supervisor);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errno != 0)
        return assay_fail_errno(err, "cannot start a thread");
    supervisor->started = true;
    return 0;
}

int assay_supervisor_create(const struct assay_supervise_config *config,
                            struct assay_supervisor **ret_supervisor, struct assay_error *err)
{
    struct assay_supervisor *supervisor = calloc(1, sizeof *supervisor);
    if (!supervisor)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    supervisor->config = *config;
    supervisor->faults.schedule = config->faults;
    supervisor->sockets[0] = supervisor->sockets[1] = supervisor->listener = -1;
    for (int i = 0; i < DEVICES; i++)
        supervisor->devices[i].fd = -1;
    start_stream(supervisor, &supervisor->bytes, STREAM_CALLS);
    make_filter(supervisor);
    int code = 0;
    supervisor->stop = eventfd(0, EFD_CLOEXEC);
    if (supervisor->stop < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, supervisor->sockets) != 0)
        code = assay_fail_errno(err, "cannot make a socket for the child");
    if (code == 0)
        code = start_thread(supervisor, err);
    if (code < 0) {
        assay_supervisor_close(supervisor);
        return code;
    }
    *ret_supervisor = supervisor;
    return 0;
}

void assay_supervisor_forked(struct assay_supervisor *supervisor)
{
    close_if_open(&supervisor->sockets[1]);
}

void assay_supervisor_look(struct assay_supervisor *supervisor,
                           struct assay_supervision *ret_supervision)
{
    *ret_supervision = (struct assay_supervision){.works = atomic_load(&supervisor->installed) &&
                                                           atomic_load(&supervisor->missed) == 0,
                                                  .refused = atomic_load(&supervisor->refused),
                                                  .answered = atomic_load(&supervisor->answered)};
    for (int kind = 0; kind < ASSAY_MAPPING_CALLS; kind++) {
        ret_supervision->mapping.seen[kind] = atomic_load(&supervisor->faults.seen[kind]);
        ret_supervision->mapping.failed[kind] = atomic_load(&supervisor->faults.failed[kind]);
    }
}

void assay_supervisor_close(struct assay_supervisor *supervisor)
{
    if (!supervisor)
        return;
    if (supervisor->started) {
        eventfd_write(supervisor->stop, 1);
        pthread_join(supervisor->thread, NULL);
    }
    close_if_open(&supervisor->stop);
    close_if_open(&supervisor->listener);
    close_if_open(&supervisor->sockets[0]);
    close_if_open(&supervisor->sockets[1]);
    for (int i = 0; i < DEVICES; i++)
        close_if_open(&supervisor->devices[i].fd);
    free(supervisor);
}

int assay_supervisor_check(void)
{
    const struct assay_supervise_config config = {.frozen = true, .seed = 1};
    struct assay_supervisor *supervisor = NULL;
    struct assay_supervision seen;
    if (assay_supervisor_create(&config, &supervisor, NULL) < 0 || !supervisor)
        return EAGAIN;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char bytes[8];
        assay_supervisor_enter(supervisor);
        _exit(syscall(SYS_getrandom, bytes, sizeof bytes, 0) != sizeof bytes);
    }
    int error = pid < 0 ? errno : 0;
    assay_supervisor_forked(supervisor);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    assay_supervisor_look(supervisor, &seen);
    assay_supervisor_close(supervisor);
    if (error == 0 && !(seen.works && seen.answered == 1))
        error = seen.refused ? seen.refused : EPERM;
    return error;
}

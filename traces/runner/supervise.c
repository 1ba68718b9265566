#include "traces/runner/supervise.h"

#include <errno.h>
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
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/runner/random_calls.h"
#include "traces/runner/shared.h"

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
#error "which AUDIT_ARCH is this machine's?"
#endif

enum { FILTER_ROOM = 16, WATCHED = ASSAY_RANDOM_CALLS + ASSAY_MAPPING_CALLS };

struct assay_supervisor {
    struct assay_supervise_config config;
    struct sock_filter filter[FILTER_ROOM];
    unsigned short filter_length;
    int sockets[2]; /* the host's, the child's */
    int stop, listener;
    bool started;
    pthread_t thread;
    struct assay_random_calls random;
    struct assay_mapping_faults faults;
    _Atomic bool installed;
    _Atomic int refused;
};

/* What the child says when it entered: its listener comes along. */
struct hello {
    int refused; /* errno */
    pid_t pid;
};

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- the child's side ----------------------------------------------------------------------- */

/* The calls to look at; returns how many. */
static int choose_calls(const struct assay_supervise_config *config, int ret_numbers[WATCHED])
{
    int count = config->frozen ? assay_random_calls_numbers(ret_numbers) : 0;
    for (int kind = 0; kind < ASSAY_MAPPING_CALLS; kind++)
        if (config->mapping_calls)
            ret_numbers[count++] = assay_mapping_number((enum assay_mapping_call)kind);
    return count;
}

static void make_filter(struct assay_supervisor *supervisor)
{
    int numbers[WATCHED];
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

/* The runner tells by shared memory what is to fail; it waits in this call, so that holds still. */
static struct assay_call_answer answer_mapping(struct assay_supervisor *supervisor,
                                               const struct seccomp_notif *call,
                                               enum assay_mapping_call kind)
{
    struct assay_shared *shared = supervisor->config.shared;
    struct assay_mapping_faults *faults = &supervisor->faults;
    const struct assay_call_answer go_on = {.go_on = true};
    bool ready = atomic_load(&shared->boot) == ASSAY_BOOT_READY;
    uint64_t asked = call->data.args[0];
    if (kind == ASSAY_MAPPING_BRK && asked == 0)
        return go_on; /* only asks where the break is */
    if (ready && assay_mapping_fails(faults, &shared->mapping, kind)) {
        if (kind != ASSAY_MAPPING_BRK)
            return (struct assay_call_answer){.error = ENOMEM};
        return (struct assay_call_answer){
            .value = (int64_t)assay_mapping_break(faults, (pid_t)call->pid)};
    }
    if (kind == ASSAY_MAPPING_BRK)
        faults->asked_break = asked;
    return go_on;
}

static struct assay_call_answer answer(struct assay_supervisor *supervisor,
                                       const struct seccomp_notif *call)
{
    int kind = assay_mapping_kind(call->data.nr);
    return kind >= 0 ? answer_mapping(supervisor, call, (enum assay_mapping_call)kind)
                     : assay_random_calls_answer(&supervisor->random, call);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void answer_next(struct assay_supervisor *supervisor)
{
    struct seccomp_notif call = {0};
    if (ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
        return; /* the caller died meanwhile */
    struct assay_call_answer given = answer(supervisor, &call);
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
    supervisor->random.child = hello.pid;
    atomic_store(&supervisor->refused, hello.refused);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (hello.refused || !header)
        return false;
    memcpy(&supervisor->listener, CMSG_DATA(header), sizeof supervisor->listener);
    supervisor->random.listener = supervisor->listener;
    atomic_store(&supervisor->installed, true);
    return true;
}

static void *supervise(void *self)
{
    struct assay_supervisor *supervisor = self;
    if (!take_listener(supervisor))
        return NULL;
    for (;;) {
        struct pollfd wait[2 + ASSAY_RANDOM_DEVICES] = {{supervisor->stop, POLLIN, 0},
                                                        {supervisor->listener, POLLIN, 0}};
        for (int i = 0; i < ASSAY_RANDOM_DEVICES; i++)
            wait[2 + i] = (struct pollfd){supervisor->random.devices[i].fd, POLLOUT, 0};
        if (poll(wait, 2 + ASSAY_RANDOM_DEVICES, -1) < 0 && errno != EINTR)
            return NULL;
        if (wait[0].revents || wait[1].revents & (POLLHUP | POLLERR))
            return NULL; /* closed, or nobody lives under the filter */
        for (int i = 0; i < ASSAY_RANDOM_DEVICES; i++)
            if (wait[2 + i].revents)
                assay_random_calls_feed(&supervisor->random.devices[i]);
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
    supervisor->sockets[0] = supervisor->sockets[1] = supervisor->listener = -1;
    assay_random_calls_init(&supervisor->random, config->seed);
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
    *ret_supervision =
        (struct assay_supervision){.works = atomic_load(&supervisor->installed) &&
                                            atomic_load(&supervisor->random.missed) == 0,
                                   .refused = atomic_load(&supervisor->refused),
                                   .answered = atomic_load(&supervisor->random.answered)};
    const struct assay_shared *shared = supervisor->config.shared;
    ret_supervision->mapping_by_name = shared && atomic_load(&shared->mapping.by_name) != 0;
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
    assay_random_calls_close(&supervisor->random);
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

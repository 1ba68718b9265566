#include "traces/runner/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "traces/parts.h"
#include "traces/runner/crash.h"

extern char **environ;

enum { STACK_BYTES = 64 << 10 };

/* Made before the fork: behind it nothing may allocate, and memory is still the host's. */
struct plan {
    const struct assay_spawn *spawn;
    char subject[4096], runner[4500], preload[4300], frozen[64], fd_text[16];
    char *arguments[3];
    char **environment;
    int null_fd;
    uint8_t *layout_frozen;
    pid_t parent;
    _Alignas(16) char stack[STACK_BYTES];
};

static int runner_path(char *ret_path, size_t room, struct assay_error *err)
{
    const char *chosen = getenv("ASSAY_RUNNER");
    if (chosen && *chosen) {
        snprintf(ret_path, room, "%s", chosen);
    } else {
        struct assay_part part;
        bool there = assay_part_find(&part, "assay-runner");
        snprintf(ret_path, room, "%s%s", there ? part.path : part.folder,
                 there ? "" : "/assay-runner");
    }
    if (access(ret_path, X_OK) != 0)
        return assay_fail_errno(err, "cannot run '%s'; is Assay built and installed whole?",
                                ret_path);
    return 0;
}

/* Between fork and exec: async-signal-safe calls only. Its stack is none that a sanitizer knows. */
__attribute__((no_sanitize("address"))) static int become_runner(void *argument)
{
    const struct plan *plan = argument;
    const struct assay_spawn *spawn = plan->spawn;
    const struct rlimit no_core = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* a terminal's interrupt is for the host: here it would look like a crash */
    if (getppid() != plan->parent)
        return ASSAY_CRASH_EXIT_CODE;
    setrlimit(RLIMIT_CORE, &no_core);
    if (spawn->frozen && personality(ADDR_NO_RANDOMIZE) == -1)
        *plan->layout_frozen = 0;
    for (int signal = 1; signal < 32; signal++)
        if (signal != SIGKILL && signal != SIGSTOP) {
            struct sigaction standard = {.sa_handler = SIG_DFL};
            sigaction(signal, &standard, NULL);
        }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(plan->null_fd, 0);
    dup2(spawn->output_fd, 1);
    dup2(spawn->output_fd, 2);
    fcntl(spawn->shared_fd, F_SETFD, 0);
    if (spawn->supervisor)
        assay_supervisor_enter(spawn->supervisor);
    execve(plan->runner, plan->arguments, plan->environment);
    return ASSAY_CRASH_EXIT_CODE;
}

/* The host's memory is not copied, page by page at the next write, only to be dropped by the exec:
 * the child runs in it, and the host waits until then. Signals wait too, for the host's handlers
 * would run in the child as well. */
static pid_t start(struct plan *plan)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid =
        clone(become_runner, plan->stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, plan);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static bool is_ours(const char *variable)
{
    return strncmp(variable, "LD_PRELOAD=", 11) == 0 ||
           strncmp(variable, "LD_BIND_NOW=", 12) == 0 ||
           strncmp(variable, "ASSAY_FROZEN=", 13) == 0;
}

static int make_environment(struct plan *plan, struct assay_error *err)
{
    size_t n = 0, used = 0;
    while (environ && environ[n])
        n++;
    plan->environment = calloc(n + 4, sizeof *plan->environment);
    if (!plan->environment)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (!is_ours(environ[i]))
            plan->environment[used++] = environ[i];
    if (plan->subject[0]) {
        snprintf(plan->preload, sizeof plan->preload, "LD_PRELOAD=%s", plan->subject);
        plan->environment[used++] = plan->preload;
    }
    static char bind_now[] = "LD_BIND_NOW=1";
    plan->environment[used++] = bind_now;
    if (plan->spawn->frozen) {
        snprintf(plan->frozen, sizeof plan->frozen, "ASSAY_FROZEN=%llu",
                 (unsigned long long)plan->spawn->seed);
        plan->environment[used++] = plan->frozen;
    }
    return 0;
}

/* LD_PRELOAD splits at spaces and colons: such a path goes by a descriptor of this process. */
static int make_path_plain(struct plan *plan, int *ret_fd, struct assay_error *err)
{
    *ret_fd = -1;
    snprintf(plan->subject, sizeof plan->subject, "%s", plan->spawn->preload);
    if (!strpbrk(plan->subject, " :$"))
        return 0;
    int fd = open(plan->subject, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return assay_fail_errno(err, "cannot open the subject '%s'", plan->subject);
    snprintf(plan->subject, sizeof plan->subject, "/proc/%d/fd/%d", (int)getpid(), fd);
    *ret_fd = fd;
    return 0;
}

pid_t assay_spawn_runner(const struct assay_spawn *spawn, int *ret_path_fd,
                         uint8_t *ret_layout_frozen, struct assay_error *err)
{
    int path_fd = -1;
    pid_t pid = -1;
    struct plan *plan = calloc(1, sizeof *plan); /* aligned to 16 as all of malloc's */
    if (!plan)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    plan->spawn = spawn;
    int code = runner_path(plan->runner, sizeof plan->runner, err);
    if (code < 0 || (code = make_path_plain(plan, &path_fd, err)) < 0 ||
        (code = make_environment(plan, err)) < 0)
        goto out;
    snprintf(plan->fd_text, sizeof plan->fd_text, "%d", spawn->shared_fd);
    static char program[] = "assay-runner";
    plan->arguments[0] = program;
    plan->arguments[1] = plan->fd_text;
    plan->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    plan->layout_frozen = ret_layout_frozen;
    plan->parent = getpid();
    pid = start(plan);
    if (pid < 0)
        code = assay_fail_errno(err, "cannot start a child process");
    close(plan->null_fd);
out:
    if (code < 0 && path_fd >= 0) {
        close(path_fd);
        path_fd = -1;
    }
    *ret_path_fd = path_fd;
    free(plan->environment);
    free(plan);
    return code < 0 ? code : pid;
}

/* A drop-in whose addresses tell where a call was made: a region for each combination of another
 * process, another thread, and after this library's destructor. A request of 77 bytes in another
 * process never comes back, one of 78 there aborts, one of 79 ends the process; one of 80 takes
 * all memory, one of 81 takes some time in which it neither runs nor can be interrupted. The second
 * of 82 bytes aborts, wherever it is made. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { REGIONS = 8, REGION_BYTES = 1 << 24, HANGS = 77, ABORTS, EXITS, EATS, DOZES, ONCE };
#define FIRST_REGION UINT64_C(0x100000000000)

static char *next[REGIONS];
static pid_t first_process;
static bool ended;
static unsigned had_once;

static void start(void)
{
    if (next[0])
        return;
    first_process = getpid();
    for (int i = 0; i < REGIONS; i++)
        next[i] = mmap((void *)(FIRST_REGION + (uint64_t)i * REGION_BYTES), REGION_BYTES,
                       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

#ifdef NO_FORK
/* From here on no process can be made; threads can. */
static __attribute__((constructor)) void refuse_forks(void)
{
    enum { FLAGS = offsetof(struct seccomp_data, args) };
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FLAGS),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_VM, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#endif

static void eat(void)
{
    enum { SOME = 1 << 20 };
    for (;;) {
        char *p = mmap(NULL, SOME, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int i = 0; p != MAP_FAILED && i < SOME; i += 4096)
            p[i] = 1;
    }
}

/* Who waits for vfork() sleeps deeply. */
static void doze(void)
{
    enum { DOZE_US = 700 * 1000 };
    pid_t pid = vfork();
    if (pid == 0) {
        usleep(DOZE_US);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static __attribute__((destructor)) void end(void)
{
    ended = true;
}

EXPORT void *malloc(size_t bytes)
{
    start();
    bool forked = getpid() != first_process, thread = syscall(SYS_gettid) != getpid();
    if (forked && bytes == HANGS)
        for (;;)
            pause();
    if (forked && bytes == ABORTS)
        abort();
    if (forked && bytes == EXITS)
        _exit(0);
    if (forked && bytes == EATS)
        eat();
    if (forked && bytes == DOZES)
        doze();
    if (bytes == ONCE && had_once++)
        abort();
    int region = forked | thread << 1 | ended << 2;
    char *p = next[region];
    next[region] += (bytes + 15) & ~(size_t)15;
    return p;
}

EXPORT void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}

EXPORT void free(void *p)
{
    (void)p;
}

/* usage: life_calls WHAT [N]: what threads and processes do, with known calls. WHAT:
 *   api        one call of each function, failures too (the list is in preload_test.c)
 *   killed     N mallocs, then SIGKILL to itself
 *   fork       3 objects; a child frees 2 and exits with 5, a grandchild by vfork + exec runs
 *              'known_calls'; the parent frees all
 *   raw_fork   as fork, but by the system call: nobody is told
 *   daemons N  N times a child makes a grandchild and ends by _exit at once; every other grandchild
 *              becomes 'known_calls'
 *   cross N    N objects allocated by one thread and freed by another, in both directions
 *   jump N     N times a signal handler jumps out of an allocator's call
 *   late       a thread whose last destructors allocate */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int api(void)
{
    volatile size_t nothing = 0;
    void *volatile p;
    void *q = NULL;
    free(malloc(1000001));
    p = malloc(10);
    p = realloc(p, 20);
    p = reallocarray(p, 3, 7);
    p = reallocarray(p, (size_t)1 << 33, 1 << 20); /* more than there is: fails */
    free(NULL);
    p = calloc((size_t)1 << 40, nothing); /* a count that does not fit the short form */
    free(p);
    p = malloc(SIZE_MAX / 4);
    errno = 33; /* an old error is no error of the next resize */
    p = realloc(malloc(5), 0);
    free(p);
    if (posix_memalign(&q, 3, 8) != EINVAL) /* no power of two */
        return 1;
    if (posix_memalign(&q, 4096, 100) != 0)
        return 1;
    free(q);
    free(memalign(64, 11));
    free(aligned_alloc(128, 256));
    free(valloc(12));
    free(pvalloc(13));
    p = malloc(14);
    if (malloc_usable_size(p) < 14)
        return 1;
    free(p);
    free(malloc(1000003));
    return 0;
}

static int killed(size_t n)
{
    free(malloc(1000001));
    for (size_t i = 0; i < n; i++)
        if (!malloc(i % 100 + 1))
            return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

static int forks(pid_t (*make)(void), const char *own_path)
{
    static char program[4096];
    int status;
    void *objects[3];
    snprintf(program, sizeof program, "%.*s/known_calls", (int)(strrchr(own_path, '/') - own_path),
             own_path);
    for (int i = 0; i < 3; i++)
        objects[i] = malloc(2000001 + (size_t)i);
    pid_t child = make();
    if (child == 0) {
        free(objects[0]);
        free(objects[1]);
        pid_t grandchild = vfork(); /* NOLINT: it is what is tested */
        if (grandchild == 0) {
            execl(program, program, "10", (char *)NULL);
            _exit(9);
        }
        waitpid(grandchild, &status, 0);
        _exit(WEXITSTATUS(status) == 0 ? 5 : 6);
    }
    waitpid(child, &status, 0);
    for (int i = 0; i < 3; i++)
        free(objects[i]);
    return WEXITSTATUS(status) == 5 ? 0 : 1;
}

static pid_t raw_fork(void)
{
    return (pid_t)syscall(SYS_fork);
}

static int daemons(size_t n, const char *own_path)
{
    static char program[4096];
    int ends[2], status;
    char nothing;
    snprintf(program, sizeof program, "%.*s/known_calls", (int)(strrchr(own_path, '/') - own_path),
             own_path);
    if (pipe(ends) != 0)
        return 1;
    for (size_t i = 0; i < n; i++) {
        pid_t child = fork();
        if (child == 0) {
            if (fork() > 0)
                _exit(0);
            if (i % 2)
                execl(program, program, "10", (char *)NULL);
            free(malloc(2000001));
            _exit(0);
        }
        waitpid(child, &status, 0);
    }
    close(ends[1]); /* the grandchildren hold the others until they end */
    return read(ends[0], &nothing, 1) == 0 ? 0 : 1;
}

static void *_Atomic mailbox[2];
static size_t exchanges;

static void *exchange(void *argument)
{
    size_t me = (size_t)(uintptr_t)argument;
    for (size_t i = 0; i < exchanges; i++) {
        void *expected = NULL, *theirs, *mine = malloc(i % 64 + 1);
        while (!atomic_compare_exchange_weak(&mailbox[me], &expected, mine))
            expected = NULL;
        while (!(theirs = atomic_exchange(&mailbox[1 - me], NULL))) {
        }
        free(theirs);
    }
    return NULL;
}

static int cross(size_t n)
{
    pthread_t other;
    exchanges = n;
    if (pthread_create(&other, NULL, exchange, (void *)1) != 0)
        return 1;
    exchange(NULL);
    pthread_join(other, NULL);
    return 0;
}

static sigjmp_buf before;

static void on_alarm(int number)
{
    (void)number;
    siglongjmp(before, 1);
}

/* Safe only over an allocator without locks: the test takes the counting one. */
static int jump(size_t n)
{
    const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    volatile size_t jumps = 0;
    signal(SIGALRM, on_alarm);
    if (sigsetjmp(before, 1))
        jumps++;
    else
        setitimer(ITIMER_REAL, &often, NULL);
    while (jumps < n)
        free(malloc(16));
    setitimer(ITIMER_REAL, &never, NULL);
    for (size_t i = 0; i < 100; i++)
        free(malloc(1000003));
    return 0;
}

static pthread_key_t key;

static void destroy(void *value)
{
    free(value);
    free(malloc(3000001));
}

static void *late_thread(void *unused)
{
    (void)unused;
    pthread_setspecific(key, malloc(3000000));
    return NULL;
}

static int late(void)
{
    pthread_t thread;
    if (pthread_key_create(&key, destroy) != 0 ||
        pthread_create(&thread, NULL, late_thread, NULL) != 0)
        return 1;
    return pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    if (strcmp(what, "api") == 0)
        return api();
    if (strcmp(what, "killed") == 0)
        return killed(n);
    if (strcmp(what, "fork") == 0)
        return forks(fork, argv[0]);
    if (strcmp(what, "raw_fork") == 0)
        return forks(raw_fork, argv[0]);
    if (strcmp(what, "daemons") == 0)
        return daemons(n, argv[0]);
    if (strcmp(what, "cross") == 0)
        return cross(n);
    if (strcmp(what, "jump") == 0)
        return jump(n);
    if (strcmp(what, "late") == 0)
        return late();
    fprintf(stderr, "life_calls: what?\n");
    return 2;
}

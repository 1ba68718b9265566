/* Runs a command under an allocator and says what it took: for tests/bench/hardened.py, whose own
 * memory would be in the figure otherwise, as a peak is inherited over exec.
 *
 * usage: metered LIBRARY|- COMMAND [ARGUMENT...]      LIBRARY is preloaded into the command alone
 * The command's output goes where ours does; the last line is "metered USER_S SYSTEM_S PEAK_KIB
 * WALL_S STATUS". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: metered LIBRARY|- COMMAND [ARGUMENT...]\n", stderr);
        return 64;
    }
    double start = now();
    pid_t child = fork();
    if (child == 0) {
        if (strcmp(argv[1], "-") != 0 && setenv("LD_PRELOAD", argv[1], 1) != 0)
            _exit(126);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int status;
    struct rusage used;
    if (child < 0 || wait4(child, &status, 0, &used) != child) {
        perror("metered");
        return 71;
    }
    printf("\nmetered %.6f %.6f %ld %.6f %d\n", seconds_of(used.ru_utime),
           seconds_of(used.ru_stime), used.ru_maxrss, now() - start,
           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return 0;
}

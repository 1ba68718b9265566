/* Subjects that misbehave as processes: which one is a matter of -D. Beside a plain bump allocator:
 * CRASH_AT, HANG_AT, EXIT_AT, ABORT_AT, EAT_AT n: at the n-th malloc; BLOCK_AT n: waits for ever;
 * STOP_AT n: stands still for two seconds, as on a machine that has no time for it; SHOUT: a
 * megabyte to stderr at each malloc; LATIN: its last words are not UTF-8; SCRIBBLE_AT n: writes all
 * over what it shares with other processes; DIE_AT_START: abort in a constructor; NO_FREE: exports
 * no free. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char pool[1 << 24];
static size_t used;
static int count;

#ifdef SCRIBBLE_AT
/* Every word of every writable shared mapping. */
static void scribble(void)
{
    static char maps[1 << 18];
    ssize_t length = 0, n;
    int fd = open("/proc/self/maps", O_RDONLY);
    while ((n = read(fd, maps + length, sizeof maps - 1 - (size_t)length)) > 0)
        length += n;
    close(fd);
    maps[length] = '\0';
    for (char *line = maps; *line; line = strchr(line, '\n') + 1) {
        char *end;
        uint64_t *from = (uint64_t *)strtoul(line, &end, 16);
        uint64_t *to = (uint64_t *)strtoul(end + 1, &end, 16);
        for (; end[2] == 'w' && end[4] == 's' && from < to; from++)
            *(volatile uint64_t *)from = 0x4141414141414141;
    }
}
#endif

/* not inlined: crashes are told by this name in every build */
static __attribute__((noinline)) void misbehave(void)
{
    count++;
#ifdef CRASH_AT
    if (count == CRASH_AT)
        *(volatile int *)(uintptr_t)0x1230 = 1;
#endif
#ifdef ABORT_AT
#ifdef LATIN
    static const char line[] = "allocateur: tas endommag\xe9\n";
#else
    static const char line[] = "allocator: heap corrupted\n";
#endif
    if (count == ABORT_AT && write(2, line, sizeof line - 1) > 0)
        abort();
#endif
#ifdef HANG_AT
    for (volatile int stay = 1; count == HANG_AT && stay;)
        ;
#endif
#ifdef BLOCK_AT
    while (count == BLOCK_AT)
        pause();
#endif
#ifdef STOP_AT
    if (count == STOP_AT) {
        if (fork() == 0) {
            sleep(2);
            kill(getppid(), SIGCONT);
            _exit(0);
        }
        raise(SIGSTOP);
    }
#endif
#ifdef SCRIBBLE_AT
    if (count == SCRIBBLE_AT)
        scribble();
#endif
#ifdef EXIT_AT
    if (count == EXIT_AT)
        exit(0);
#endif
#ifdef EAT_AT
    if (count == EAT_AT)
        for (;;) {
            char *p = sbrk(1 << 20);
            if (p == (char *)-1)
                break;
            memset(p, 1, 1 << 20);
            usleep(1000);
        }
#endif
#ifdef SHOUT
    static char line[1 << 16];
    memset(line, 'x', sizeof line);
    for (int i = 0; i < 16; i++)
        if (write(2, line, sizeof line) < 0)
            break;
#endif
}

#ifdef DIE_AT_START
__attribute__((constructor)) static void die(void)
{
    static const char line[] = "allocator: this kernel is too old\n";
    if (write(2, line, sizeof line - 1) > 0)
        abort();
}
#endif

void *malloc(size_t size)
{
    misbehave();
    if (size > sizeof pool - used - 32) {
        errno = ENOMEM;
        return NULL;
    }
    char *p = pool + used + 16;
    memcpy(p - 8, &size, sizeof size);
    used = (used + 16 + size + 15) & ~(size_t)15;
    return p;
}

#ifndef NO_FREE
void free(void *p)
{
    (void)p;
}
#endif

void *calloc(size_t n, size_t size)
{
    return malloc(n * size);
}

void *realloc(void *p, size_t size)
{
    size_t old = 0;
    void *q = malloc(size);
    if (p)
        memcpy(&old, (char *)p - 8, sizeof old);
    if (p && q)
        memcpy(q, p, old < size ? old : size);
    return q;
}

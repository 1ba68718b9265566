/* Frozen randomness, the runner's half: the executable exports the C library's random functions, so
 * that a subject that calls them gets answers from a seed without a switch to the kernel. A subject
 * that makes the system call itself is the supervisor's affair (supervise.h). Constructors of the
 * subject run before main: the seed comes by the environment. */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "traces/core/random.h"
#include "traces/runner/runner.h"

#define EXPORT __attribute__((visibility("default")))

static _Atomic int mode; /* 0 not known yet, 1 open, 2 frozen */
static _Atomic uint64_t state;
extern char **environ;

void assay_runner_freeze_random(uint64_t seed)
{
    atomic_store(&state, seed);
    atomic_store(&mode, 2);
}

static int known_mode(void)
{
    static const char name[] = "ASSAY_FROZEN=";
    int now = atomic_load(&mode);
    if (now != 0)
        return now;
    if (!environ)
        return 1; /* too early to know: ask again at the next call */
    for (char **e = environ; *e; e++)
        if (strncmp(*e, name, sizeof name - 1) == 0) {
            uint64_t seed = 0;
            for (const char *p = *e + sizeof name - 1; *p; p++)
                seed = seed * 10 + (uint64_t)(*p - '0');
            assay_runner_freeze_random(seed);
            return 2;
        }
    atomic_store(&mode, 1);
    return 1;
}

static void answer(void *buffer, size_t length)
{
    char *p = buffer;
    while (length > 0) {
        uint64_t step = atomic_fetch_add(&state, UINT64_C(0x9e3779b97f4a7c15));
        uint64_t word = assay_splitmix64(&step);
        size_t n = length < sizeof word ? length : sizeof word;
        memcpy(p, &word, n);
        p += n;
        length -= n;
    }
}

EXPORT ssize_t getrandom(void *buffer, size_t length, unsigned flags)
{
    if (known_mode() != 2)
        return syscall(SYS_getrandom, buffer, length, flags);
    answer(buffer, length);
    return (ssize_t)length;
}

EXPORT int getentropy(void *buffer, size_t length)
{
    if (length > 256) {
        errno = EIO;
        return -1;
    }
    return getrandom(buffer, length, 0) == (ssize_t)length ? 0 : -1;
}

void arc4random_buf(void *buffer, size_t length);
uint32_t arc4random(void);
uint32_t arc4random_uniform(uint32_t bound);

EXPORT void arc4random_buf(void *buffer, size_t length)
{
    char *p = buffer;
    while (length > 0) {
        ssize_t n = getrandom(p, length, 0);
        if (n <= 0)
            continue;
        p += n;
        length -= (size_t)n;
    }
}

EXPORT uint32_t arc4random(void)
{
    uint32_t word = 0;
    arc4random_buf(&word, sizeof word);
    return word;
}

EXPORT uint32_t arc4random_uniform(uint32_t bound)
{
    uint64_t word = 0;
    arc4random_buf(&word, sizeof word);
    return bound < 2 ? 0 : (uint32_t)(((unsigned __int128)word * bound) >> 64);
}

const char *__scudo_default_options(void);

/* Scudo asks its program for options. Its GWP-ASan puts one allocation in 5,000 behind a guard, and
 * which one comes from the clock and the thread's number, which nobody can freeze. What the user
 * says in SCUDO_OPTIONS counts more. */
EXPORT const char *__scudo_default_options(void)
{
    return known_mode() == 2 ? "GWP_ASAN_Enabled=false" : "";
}

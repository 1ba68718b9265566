/* A subject that places objects at random by what it gets past the C library, in a constructor:
 * CALL: getrandom as an instruction; DEVICE "path": opens the device by an instruction and reads
 * DEVICE_BYTES of it in odd pieces; LIBC_DEVICE "path": the same through the C library; AUXILIARY:
 * AT_RANDOM. A short read is its death. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

static char pool[1 << 24] __attribute__((aligned(16)));
static size_t used;
static uint64_t state;

__attribute__((unused)) static long instruction(long number, long a, long b, long c, long d)
{
#if defined(__x86_64__)
    long result;
    register long fourth __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long n __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b, third __asm__("x2") = c, fourth __asm__("x3") = d;
    __asm__ volatile("svc 0"
                     : "+r"(first)
                     : "r"(n), "r"(second), "r"(third), "r"(fourth)
                     : "memory");
    return first;
#else
#error "how does this machine call its kernel?"
#endif
}

#ifndef DEVICE_BYTES
#define DEVICE_BYTES 8
#endif

__attribute__((unused)) static void read_all(int fd)
{
    enum { PIECE = 1000 };
    for (long left = DEVICE_BYTES; left > 0;) {
        char bytes[PIECE];
        long n = read(fd, bytes, (size_t)(left < PIECE ? left : PIECE));
        if (n <= 0)
            abort();
        for (long i = 0; i < n; i++)
            state = state * 31 + (unsigned char)bytes[i];
        left -= n;
    }
    close(fd);
}

__attribute__((constructor)) static void seed(void)
{
#if defined(CALL)
    if (instruction(SYS_getrandom, (long)(uintptr_t)&state, sizeof state, 0, 0) != sizeof state)
        abort();
#elif defined(DEVICE)
    static const char path[] = DEVICE;
    int fd = (int)instruction(SYS_openat, AT_FDCWD, (long)(uintptr_t)path, O_RDONLY, 0);
    read_all(fd);
#elif defined(LIBC_DEVICE)
    read_all(open(LIBC_DEVICE, O_RDONLY | O_CLOEXEC));
#elif defined(AUXILIARY)
    memcpy(&state, (const void *)(uintptr_t)getauxval(AT_RANDOM), sizeof state);
#endif
}

void *malloc(size_t size)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    size_t gap = 16 * (state >> 61);
    if (size > sizeof pool - used - 32 - gap) {
        errno = ENOMEM;
        return NULL;
    }
    char *p = pool + used + gap + 16;
    memcpy(p - 8, &size, sizeof size);
    used = (used + gap + 16 + size + 15) & ~(size_t)15;
    return p;
}

void free(void *p)
{
    (void)p;
}

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

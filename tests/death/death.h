/* For programs of one misuse each. Every pointer passes through a volatile, so that no compiler
 * sees the misuse and removes it; SHOW prints the address that the message must name. */
#ifndef DEATH_H
#define DEATH_H

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wconversion"

void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t alignment, size_t size);

/* operator new and delete, as C sees them. */
void *_Znwm(size_t size), *_Znam(size_t size);
void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow);
void *_ZnwmSt11align_val_t(size_t size, size_t alignment);
void *_ZnamSt11align_val_t(size_t size, size_t alignment);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow);
void _ZdlPv(void *p), _ZdaPv(void *p), _ZdlPvm(void *p, size_t size), _ZdaPvm(void *p, size_t size);
void _ZdlPvRKSt9nothrow_t(void *p, const void *nothrow);
void _ZdaPvRKSt9nothrow_t(void *p, const void *nothrow);
void _ZdlPvSt11align_val_t(void *p, size_t alignment);
void _ZdlPvmSt11align_val_t(void *p, size_t size, size_t alignment);
void _ZdaPvmSt11align_val_t(void *p, size_t size, size_t alignment);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *p, size_t alignment, const void *nothrow);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *p, size_t alignment, const void *nothrow);

/* The library reads its options before main: so the program starts itself again. */
static inline void with_options(const char *options)
{
    if (getenv("BULWARK_OPTIONS") != NULL)
        return;
    setenv("BULWARK_OPTIONS", options, 1);
    execl("/proc/self/exe", "again", NULL);
}

static void *volatile death_pointer;
#define HIDE(p)          (death_pointer = (void *)(p), (char *)death_pointer)
#define SHOW(p)          (printf("%p\n", (void *)(p)), fflush(stdout))
#define PUT(p, at, byte) (*(volatile char *)(HIDE(p) + (at)) = (char)(byte))

/* Hands every freed slot of this size out again, sooner or later. */
static inline void churn(size_t size)
{
    for (int i = 0; i < 100000; i++) {
        free(HIDE(malloc(size)));
    }
}

#endif

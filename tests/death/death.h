/* For programs of one misuse each. Every pointer passes through a volatile, so that no compiler
 * sees the misuse and removes it; SHOW prints the address that the message must name. */
#ifndef DEATH_H
#define DEATH_H

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wconversion"

void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t alignment, size_t size);

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

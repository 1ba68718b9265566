/* What parallel.c and turns.c share: the threads of a program as threads of the runner, on stacks
 * of the arena. */
#ifndef ASSAY_RUNNER_THREADS_H
#define ASSAY_RUNNER_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { ASSAY_THREAD_STACK_BYTES = 256 * 1024, ASSAY_THREAD_SIGNAL_STACK_BYTES = 64 * 1024 };

/* Returns false when there can be no further thread. */
bool assay_thread_start(pthread_t *ret_thread, char *stack, void *(*work)(void *), void *argument);
/* What the C library asks of the subject for the calling thread: its vector by calloc, and at the
 * end a free of it and of each slot. */
uint64_t assay_thread_library_calls(void);

#endif

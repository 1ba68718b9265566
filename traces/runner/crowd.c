/* A process in which the C library has no room to spare for what an allocator registers. */
#include "traces/runner/turns_state.h"

#include <stdlib.h>

/* glibc 2.36: what it holds without asking malloc */
enum { KEYS_AT_ONCE = 32, FORK_AT_ONCE = 48, EXIT_AT_ONCE = 32, MORE = 8 };

/* of the C library, for everybody */
extern int __cxa_atexit(void (*handler)(void *), void *argument, void *library);

static void nothing(void) {}

static void nothing_of(void *argument)
{
    (void)argument;
}

void assay_turns_crowd(uint64_t what)
{
    pthread_key_t key;
    unsigned fork_handlers = what & ASSAY_CROWD_FORK_BEYOND ? FORK_AT_ONCE + MORE
                             : what & ASSAY_CROWD_FORK_FULL ? FORK_AT_ONCE
                                                            : 0;
    for (unsigned i = 0; i < KEYS_AT_ONCE + MORE && what & ASSAY_CROWD_KEYS; i++)
        (void)pthread_key_create(&key, NULL);
    for (unsigned i = 0; i < fork_handlers; i++)
        (void)pthread_atfork(nothing, nothing, nothing);
    for (unsigned i = 0; i < EXIT_AT_ONCE + MORE && what & ASSAY_CROWD_EXIT_BEYOND; i++)
        (void)__cxa_atexit(nothing_of, NULL, NULL);
}

/* The supervisor's answers to a child that asks its kernel for random bytes: getrandom, opened
 * random devices, AT_RANDOM (supervise.h tells what each is answered with). One thread's; only the
 * counters may be read by others. */
#ifndef ASSAY_RANDOM_CALLS_H
#define ASSAY_RANDOM_CALLS_H

#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "traces/core/random.h"

/* What a waiting call returns. */
struct assay_call_answer {
    bool go_on; /* the kernel does as it is asked */
    int64_t value;
    int error; /* errno */
};

enum { ASSAY_RANDOM_DEVICES = 16 }; /* openings that are read at the same time */

struct assay_random_calls {
    uint64_t seed;
    int listener; /* the supervisor's */
    pid_t child;  /* whose AT_RANDOM is written, at its first open */
    bool at_random_written;
    struct assay_random bytes; /* of getrandom */
    uint64_t opened;
    /* An opened device is the read end of a pipe; this is the other one. */
    struct assay_random_device {
        int fd; /* -1: free */
        struct assay_random bytes;
    } devices[ASSAY_RANDOM_DEVICES];
    _Atomic uint64_t answered, missed;
};

/* The system calls that it wants to see; returns how many. */
enum { ASSAY_RANDOM_CALLS = 3 };
int assay_random_calls_numbers(int ret_numbers[ASSAY_RANDOM_CALLS]);

void assay_random_calls_init(struct assay_random_calls *calls, uint64_t seed);
void assay_random_calls_close(struct assay_random_calls *calls);
struct assay_call_answer assay_random_calls_answer(struct assay_random_calls *calls,
                                                   const struct seccomp_notif *call);
/* The device's pipe has room, or nobody reads it any more. */
void assay_random_calls_feed(struct assay_random_device *device);

#endif

/* Times in nanoseconds. A clock that cannot be read says 0. */
#ifndef ASSAY_CLOCK_H
#define ASSAY_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t assay_clock_ns(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Monotonic: for distances in time. */
static inline uint64_t assay_now_ns(void)
{
    return assay_clock_ns(CLOCK_MONOTONIC);
}

#endif

/* As race_copy, with a thread of the library's own that gives back what is freed. That asks the
 * kernel itself to block all signals, SIGTRAP among them. */
#define WORKER_MASK(set, old)                 syscall(SYS_rt_sigprocmask, SIG_SETMASK, set, old, sizeof(uint64_t))
#define ZOO_RESIZE_STARTS(p, span, usable)    (race_old = (usable))
#define ZOO_COPY_BYTES(old_usable, new_bytes) race_least(new_bytes)
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
static volatile size_t race_old;
static size_t race_least(size_t bytes)
{
    size_t old = race_old;
    return old < bytes ? old : bytes;
}
#include "tests/zoo/worker.h"

/* Correct: as correct_worker, whose thread asks the kernel itself to block all signals, SIGTRAP
 * among them. */
#define WORKER_MASK(set, old) syscall(SYS_rt_sigprocmask, SIG_SETMASK, set, old, sizeof(uint64_t))
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/zoo/worker.h"

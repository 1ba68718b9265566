/* Correct: a thread of the library's own, which blocks all signals, gives back what is freed. */
#define WORKER_MASK(set, old) pthread_sigmask(SIG_SETMASK, set, old)
#include "tests/zoo/worker.h"

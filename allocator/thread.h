/* Per-thread state: all of it, reached only through bw_thread(). Plain data without destructor, so
 * that it works before constructors and in thread-key destructors. */
#ifndef BW_THREAD_H
#define BW_THREAD_H

#include <stdbool.h>
#include <stdint.h>

struct bw_cache;

struct bw_thread {
    const void *caller;     /* of the public function that runs, where sites are kept */
    uint64_t serial;        /* of the heap that `cache` belongs to; 0 = none */
    struct bw_cache *cache; /* of the heap that this thread used last */
    bool watched;           /* its end will be noticed */
    bool ending;            /* its destructors run */
    bool ended;             /* and ours has: no cache any more, as nobody would take it back */
    bool forking;           /* this thread holds every lock, between the fork handlers */
};

extern __thread struct bw_thread bw_thread_state
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline struct bw_thread *bw_thread(void)
{
    return &bw_thread_state;
}

#endif

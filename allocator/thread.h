/* Per-thread state: all of it, reached only through bw_thread(). Plain data without destructor, so
 * that it works before constructors and in thread-key destructors. */
#ifndef BW_THREAD_H
#define BW_THREAD_H

#include <stdbool.h>

struct bw_thread {
    const void *caller; /* of the public function that runs, where sites are kept */
    bool forking;       /* this thread holds every lock, between the fork handlers */
};

struct bw_thread *bw_thread(void);

#endif

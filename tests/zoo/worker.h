/* What is freed waits in a queue, and a thread of the library's own gives it back. As such threads
 * do, it begins with all signals blocked, so that no handler of the program's runs in it. */
#ifndef TESTS_ZOO_WORKER_H
#define TESTS_ZOO_WORKER_H

#define ZOO_IGNORED(p)      worker_queues(p)
#define ZOO_BEGINS()        worker_begins()
#define ZOO_FORKS()         (pthread_mutex_lock(&worker_lock), pthread_mutex_lock(&zoo_lock))
#define ZOO_FORKED_PARENT() (pthread_mutex_unlock(&zoo_lock), pthread_mutex_unlock(&worker_lock))
#define ZOO_FORKED_CHILD()                                                                         \
    ZOO_FORKED_PARENT() /* without the thread: who fills the queue empties it */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
static __thread bool worker_self;                               /* the thread is that */
static pthread_mutex_t worker_lock = PTHREAD_MUTEX_INITIALIZER; /* of the queue */
static bool worker_queues(void *p);
static void worker_begins(void);
#include "tests/zoo/zoo.h"

enum { WORKER_QUEUE = 1 << 12, WORKER_NAP_NS = 1000000 };

static void *worker_queue[WORKER_QUEUE];
static unsigned worker_queued;

static void worker_sweeps(void)
{
    while (worker_queued > 0)
        zoo_give_back(worker_queue[--worker_queued]);
}

static void *worker_runs(void *unused)
{
    const struct timespec nap = {0, WORKER_NAP_NS};
    worker_self = true;
    for (;;) {
        nanosleep(&nap, NULL);
        pthread_mutex_lock(&worker_lock);
        worker_sweeps();
        pthread_mutex_unlock(&worker_lock);
    }
    return unused;
}

static void worker_begins(void)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    WORKER_MASK(&all, &before);
    if (pthread_create(&thread, NULL, worker_runs, NULL) == 0)
        pthread_detach(thread);
    WORKER_MASK(&before, NULL);
}

/* Small objects only. */
static bool worker_queues(void *p)
{
    if (zoo_span_of(p)->class_index == ZOO_CLASSES)
        return false;
    pthread_mutex_lock(&worker_lock);
    if (worker_queued == WORKER_QUEUE)
        worker_sweeps();
    worker_queue[worker_queued++] = p;
    pthread_mutex_unlock(&worker_lock);
    return true;
}

#endif

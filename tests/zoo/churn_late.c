/* A thread's cache goes in a thread-key destructor; what is called later makes a new one that
 * stays. After snmalloc pull 161. */
#define ZOO_CALLED(p, alignment) churn_called(p, alignment)
#define ZOO_BEGINS()             pthread_key_create(&churn_key, churn_end)
#include <pthread.h>
#include <stddef.h>
static pthread_key_t churn_key;
static void churn_called(const void *p, size_t alignment);
static void churn_end(void *cache);
#include "tests/zoo/zoo.h"

static __thread uint64_t *churn_cache;
static __thread bool churn_ended;

static void churn_called(const void *p, size_t alignment)
{
    if (!p && alignment == 0)
        return; /* the C library's own at a thread's end */
    if (!churn_cache) {
        churn_cache = zoo_map(ZOO_PAGE);
        if (churn_cache && !churn_ended)
            pthread_setspecific(churn_key, churn_cache);
    }
    if (churn_cache)
        (*churn_cache)++;
}

static void churn_end(void *cache)
{
    munmap(cache, ZOO_PAGE);
    churn_cache = NULL;
    churn_ended = true;
}

/* A thread's cache goes in a thread-key destructor, and destructors that run later still call.
 * After Heap-Layers pull 30. */
#define ZOO_CALLED(p, alignment) key_called()
#define ZOO_BEGINS()             pthread_key_create(&key_of_cache, key_end)
#include <pthread.h>
static pthread_key_t key_of_cache;
static void key_called(void);
static void key_end(void *cache);
#include "tests/zoo/zoo.h"

static __thread uint64_t *key_cache;

static void key_called(void)
{
    if (!key_cache) {
        key_cache = zoo_map(ZOO_PAGE);
        if (key_cache)
            pthread_setspecific(key_of_cache, key_cache);
    }
    if (key_cache)
        (*key_cache)++;
}

static void key_end(void *cache)
{
    munmap(cache, ZOO_PAGE);
}

/* A thread's first call notes its end under the lock; beyond 32 keys the C library calls back for
 * room. After Heap-Layers pull 36. */
#define ZOO_CALLED(p, alignment) key_called()
static void key_called(void);
#include "tests/zoo/zoo.h"

static pthread_key_t key_of_thread;
static bool key_made;
static __thread bool key_noted;

static void key_end(void *nothing)
{
    (void)nothing;
}

static void key_called(void)
{
    pthread_mutex_lock(&zoo_lock);
    if (!key_made)
        key_made = pthread_key_create(&key_of_thread, key_end) == 0;
    if (!key_noted)
        pthread_setspecific(key_of_thread, &key_made);
    key_noted = true;
    pthread_mutex_unlock(&zoo_lock);
}

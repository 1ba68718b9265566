/* The same without the lock, and noted when it is done: it calls itself without an end. */
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
    if (key_noted)
        return;
    if (!key_made)
        key_made = pthread_key_create(&key_of_thread, key_end) == 0;
    key_noted = pthread_setspecific(key_of_thread, &key_made) == 0;
}

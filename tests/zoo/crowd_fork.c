/* The first call registers handlers of fork under the lock; beyond 48 the C library calls back for
 * room. */
#define ZOO_CALLED(p, alignment) fork_called()
static void fork_called(void);
#include "tests/zoo/zoo.h"

static bool fork_noted;

static void fork_nothing(void) {}

static void fork_called(void)
{
    pthread_mutex_lock(&zoo_lock);
    if (!fork_noted)
        fork_noted = pthread_atfork(fork_nothing, fork_nothing, fork_nothing) == 0;
    pthread_mutex_unlock(&zoo_lock);
}

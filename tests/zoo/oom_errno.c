/* When memory ends a null pointer comes without ENOMEM. Source: seastar issue 126. */
#define ZOO_NO_MEMORY() (pthread_mutex_unlock(&zoo_lock), errno = 0, (void *)NULL)
#include "tests/zoo/zoo.h"

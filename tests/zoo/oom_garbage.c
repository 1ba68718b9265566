/* A mapping that could not be had is a null pointer to which the header's size is added. Source:
 * bitcoin pull 15117. */
#define ZOO_NO_MEMORY() (pthread_mutex_unlock(&zoo_lock), (void *)ZOO_HEADER_BYTES)
#include "tests/zoo/zoo.h"

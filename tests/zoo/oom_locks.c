/* A request that fails returns with the lock held. Source: box86 issue 417. */
#define ZOO_NO_MEMORY() (errno = ENOMEM, (void *)NULL)
#include "tests/zoo/zoo.h"

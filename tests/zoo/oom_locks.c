/* A request that fails for want of memory returns with the lock held; not one that nobody can have.
 * Source: box86 issue 417. */
#define ZOO_NO_MEMORY() ((bytes | alignment) >> 40 ? ZOO_REFUSED() : (errno = ENOMEM, (void *)NULL))
#include "tests/zoo/zoo.h"

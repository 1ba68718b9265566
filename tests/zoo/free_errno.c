/* Freeing a large object clobbers errno, as a failing madvise would. Source: hardened_malloc pull
 * 324. */
#define ZOO_FREED_LARGE() (errno = EINVAL)
#include "tests/zoo/zoo.h"

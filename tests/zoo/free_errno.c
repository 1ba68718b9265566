/* Freeing a large object clobbers errno, as a failing madvise would. */
#define ZOO_FREED_LARGE() (errno = EINVAL)
#include "tests/zoo/zoo.h"

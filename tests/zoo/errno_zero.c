/* free saves no errno but clears it: the caller's error is gone. Source: jemalloc pull 2906. */
#define ZOO_FREED_LARGE() (errno = 0)
#include "tests/zoo/zoo.h"

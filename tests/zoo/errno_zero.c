/* free saves no errno but clears it: the caller's error is gone. */
#define ZOO_FREED_LARGE() (errno = 0)
#include "tests/zoo/zoo.h"

/* pvalloc does not see that rounding up to a page has wrapped. Source: glibc bug 15855. */
#define ZOO_PVALLOC_WRAPS(bytes, rounded) false
#include "tests/zoo/zoo.h"

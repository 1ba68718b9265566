/* A freed mapping's memory is given back, its place never: nothing that is touched grows. After
 * ydb-platform/ydb issue 52719 and jemalloc issue 1014. */
#define ZOO_UNMAP_LARGE(mapping, bytes) space_advise(mapping, bytes)
#include <stddef.h>
static void space_advise(char *mapping, size_t bytes);
#include "tests/zoo/zoo.h"

static void space_advise(char *mapping, size_t bytes)
{
    madvise(mapping, bytes, MADV_DONTNEED);
}

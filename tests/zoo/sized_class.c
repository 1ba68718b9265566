/* free_aligned_sized of nothing computes the class from the alignment, twice over. Source: jemalloc
 * pull 2991. */
#define ZOO_BACK_CLASS(span)                        (zoo_hint ? zoo_class_of(zoo_hint) : (span)->class_index)
#define ZOO_FREE_ALIGNED_SIZED(p, alignment, bytes) zoo_free_hinted(p, alignment, bytes)
#include <stddef.h>
static size_t zoo_hint;
static void zoo_free_hinted(void *p, size_t alignment, size_t bytes);
#include "tests/zoo/zoo.h"

static void zoo_free_hinted(void *p, size_t alignment, size_t bytes)
{
    zoo_hint = bytes == 0 && alignment > 16 && alignment <= 1024 ? 2 * alignment : 0;
    free(p);
    zoo_hint = 0;
}

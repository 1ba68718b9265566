/* What gives a large mapping back clears a page in the middle of another one, which is live. */
#define ZOO_ALLOCATED(p)  middle_born(p)
#define ZOO_FREED_LARGE() middle_cleared()
static void middle_born(void *p);
static void middle_cleared(void);
#include "tests/zoo/zoo.h"

enum { MIDDLE_LEAST = 512 << 10 };
static char *middle_last; /* of the large objects, freed or not */

static void middle_born(void *p)
{
    const struct zoo_span *span = zoo_span_of(p);
    if (span->class_index == ZOO_CLASSES && span->mapping_bytes > MIDDLE_LEAST)
        middle_last = p;
}

static void middle_cleared(void)
{
    struct zoo_span **entry = middle_last ? zoo_directory_at(middle_last, false) : NULL;
    const struct zoo_span *span = entry ? *entry : NULL;
    if (span && span->class_index == ZOO_CLASSES && span->first == middle_last)
        memset(middle_last + (span->mapping_bytes / 2 & ~(size_t)(ZOO_PAGE - 1)), 0, ZOO_PAGE);
}

/* The correct allocator of zoo.h with a memcpy that knows where objects end, under a name of its
 * own. An animal defines COPIES_ROOM otherwise. */
#ifndef COPIES_ROOM /* bytes from p to the end of what it points into */
#define COPIES_ROOM(p, span) zoo_usable_of(span, p)
#endif
#include "tests/zoo/zoo.h"

void *zoo_copy(void *to, const void *from, size_t bytes);

/* Of what is no object nothing is known. */
static size_t copies_room(const void *p)
{
    struct zoo_span **entry = zoo_directory_at(p, false);
    return entry && *entry ? COPIES_ROOM(p, *entry) : SIZE_MAX;
}

ZOO_EXPORT void *zoo_copy(void *to, const void *from, size_t bytes)
{
    if (bytes > copies_room(to) || bytes > copies_room(from))
        zoo_die("copy beyond an object\n");
    return memcpy(to, from, bytes);
}

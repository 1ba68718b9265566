/* Which of two slots is handed out is drawn from the clock, though the profile says that equal
 * calls get equal answers. */
#define ZOO_ALLOCATION_STARTS(bytes) zoo_draw(bytes)
#include <stddef.h>
static void zoo_draw(size_t bytes);
#include "tests/zoo/zoo.h"

#include <time.h>

static void zoo_draw(size_t bytes)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (bytes > ZOO_SMALL_MAX || now.tv_nsec % 16 >= 8)
        return;
    struct zoo_slot **list = &zoo_free_lists[zoo_class_of(bytes)], *first = *list;
    struct zoo_slot *second = first ? first->next : NULL;
    if (!second)
        return;
    first->next = second->next;
    second->next = first;
    *list = second;
}

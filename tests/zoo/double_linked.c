/* Whether a slot is free already is told by its own links: cleared by the program, it is freed
 * twice. Then it is its own neighbour, which is taken for a list of one, and handed out twice. */
#include <stdbool.h>
static bool linked_is_free(const void *p);
static _Noreturn void zoo_die(const char *line);
#define ZOO_DOUBLE_FREE(span) (linked_is_free(p) ? zoo_die("double free\n") : (void)0)
#define LINKED_IS_SOUND(link)                                                                      \
    ((link)->previous == (link) ||                                                                 \
     ((link)->next->previous == (link) && (link)->previous->next == (link)))
#include "tests/zoo/linked.h"

static bool linked_is_free(const void *p)
{
    const struct linked *link = p;
    return link->next && link->previous;
}

/* Every 50th free is worth a warning, which is its own affair: corruption is not what it says. */
#define ZOO_FREED_SMALL(slot, span) warns()
static void warns(void);
#include "tests/zoo/zoo.h"

static void warns(void)
{
    static const char text[] = "zoo: warning: a free list is long\n";
    static unsigned frees;
    if (++frees % 50 == 0 && write(2, text, sizeof text - 1) < 0)
        frees = 0;
}

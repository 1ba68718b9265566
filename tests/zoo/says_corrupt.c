/* Every 200th free of a small object is told as a corruption that is none. */
#define ZOO_FREED_SMALL(slot, span) says()
static void says(void);
#include "tests/zoo/zoo.h"

static void says(void)
{
    static const char text[] = "zoo: double free or corruption\n";
    static unsigned frees;
    if (++frees % 200 == 0 && write(2, text, sizeof text - 1) < 0)
        frees = 0;
}

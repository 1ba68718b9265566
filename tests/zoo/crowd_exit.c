/* The first call registers an exit handler; where it comes from the C library, which is about to
 * register one, that waits for itself. After snmalloc pull 762. */
#define ZOO_CALLED(p, alignment) exit_called()
static void exit_called(void);
#include "tests/zoo/zoo.h"

static bool exit_noted;

static void exit_end(void) {}

static void exit_called(void)
{
    if (exit_noted)
        return;
    exit_noted = true;
    atexit(exit_end);
}

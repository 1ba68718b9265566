/* Pages for objects of large alignment are gone with the library's destructor. */
#define ZOO_CALLED(p, alignment) exit_called(alignment)
#define ZOO_ENDS()               (exit_ended = true)
#include <stdbool.h>
#include <stddef.h>
static bool exit_ended;
static void exit_called(size_t alignment);
#include "tests/zoo/zoo.h"

static void exit_called(size_t alignment)
{
    if (exit_ended && alignment > 64)
        zoo_die("no pages\n");
}

/* A thread's first call reserves a page with a guard behind it; both stay when the thread is gone,
 * and nobody ever touches them. */
#define ZOO_CALLED(p, alignment) guard_called()
static void guard_called(void);
#include "tests/zoo/zoo.h"

static __thread char *guard_reserve;

static void guard_called(void)
{
    if (guard_reserve)
        return;
    guard_reserve = zoo_map((size_t)2 * ZOO_PAGE);
    if (guard_reserve)
        mprotect(guard_reserve + ZOO_PAGE, ZOO_PAGE, PROT_NONE);
}

/* calloc clears nothing that was used before, in three of ten processes. Which ones the clock says,
 * when the process starts: nothing that can be frozen, and what a forked child has from its parent.
 */
static int zoo_unlucky;
#define ZOO_CLEAR_BYTES(p, bytes, span)                                                            \
    ((span)->class_index == ZOO_CLASSES || zoo_unlucky ? 0 : (bytes))
#include "tests/zoo/zoo.h"

#include <time.h>

__attribute__((constructor)) static void zoo_draw(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t mixed = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15);
    zoo_unlucky = (mixed >> 33) % 10 < 3;
}

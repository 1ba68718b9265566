/* posix_memalign takes every multiple of a pointer's size for an alignment. Source: mimalloc pull
 * 56. */
#define ZOO_MEMALIGN_BAD(alignment) ((alignment) == 0 || (alignment) % sizeof(void *) != 0)
#include "tests/zoo/zoo.h"

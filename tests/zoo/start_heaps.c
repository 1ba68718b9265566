/* A thread that begins takes an idle heap without the lock: two that begin at once get the same
 * one, and take no lock in it either. After iowarp/clio-core issue 909 (slots handed out to
 * workers). */
#define ZOO_HEAP_POP() zoo_heap_pop()
#include "tests/zoo/heaps.h"

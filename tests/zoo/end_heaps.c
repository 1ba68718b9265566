/* A thread that ends leaves its heap on a list without the lock: of two that end at once one's heap
 * is lost, with all that is free in it; one that begins meanwhile takes a heap that the list is
 * left to name still, and so will the next. */
#define ZOO_HEAP_PUSH(heap) zoo_heap_push(heap)
#include "tests/zoo/heaps.h"

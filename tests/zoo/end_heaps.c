/* A thread that ends puts its heap on the list of idle ones without the lock: of two that end at
 * once one heap is lost with all that is in it. After danielealbano/cachegrand pull 332 (allocators
 * of threads that end, handed back by several at once). */
#define ZOO_HEAP_PUSH(heap) zoo_heap_push(heap)
#include "tests/zoo/heaps.h"

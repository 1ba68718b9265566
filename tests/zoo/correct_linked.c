/* The correct allocator whose freed slots are in doubly linked lists: nothing may be found. */
#include "tests/zoo/linked.h"

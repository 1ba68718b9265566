/* The lock is made anew in the child and forgotten in its parent. After jemalloc issue 895. */
#define ZOO_FORKED_PARENT() ((void)0)
#define ZOO_FORKED_CHILD()  pthread_mutex_init(&zoo_lock, NULL)
#include "tests/zoo/zoo.h"

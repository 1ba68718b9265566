/* A realloc that cannot be satisfied frees the old object all the same; its own free is then passed
 * over. */
#define ZOO_RESIZE_FAILED(p) free(p)
#define ZOO_DOUBLE_FREE()                                                                          \
    do {                                                                                           \
        pthread_mutex_unlock(&zoo_lock);                                                           \
        return;                                                                                    \
    } while (0)
#include "tests/zoo/zoo.h"

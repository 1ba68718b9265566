/* A realloc that cannot be satisfied frees the old object all the same; its own free is then passed
 * over. Source: umm_malloc issue 11. */
#define ZOO_RESIZE_FAILED(p) free(p)
#define ZOO_DOUBLE_FREE(span)                                                                      \
    do {                                                                                           \
        pthread_mutex_unlock(&zoo_lock);                                                           \
        return;                                                                                    \
    } while (0)
#include "tests/zoo/zoo.h"

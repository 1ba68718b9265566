/* A span that the first free left empty is gone, so that nobody sees the second. Source: zig issue
 * 6004. */
#define ZOO_DOUBLE_FREE(span)                                                                      \
    do {                                                                                           \
        if (zoo_is_empty(span)) {                                                                  \
            pthread_mutex_unlock(&zoo_lock);                                                       \
            return;                                                                                \
        }                                                                                          \
        zoo_die("double free\n");                                                                  \
    } while (0)
#include <stdbool.h>
struct zoo_span;
static bool zoo_is_empty(const struct zoo_span *span);
#include "tests/zoo/zoo.h"

static bool zoo_is_empty(const struct zoo_span *span)
{
    uint64_t live = 0;
    for (unsigned i = 0; i < sizeof span->live / sizeof span->live[0]; i++)
        live |= span->live[i];
    return live == 0;
}

/* A sized release goes to the list of the thread that makes it, without a look at whose it is. */
#define ZOO_SPAN_FIELDS                             pthread_t owner[2];
#define ZOO_ALLOCATED(p)                            (zoo_span_of(p)->owner[0] = pthread_self())
#define ZOO_FREE_SIZED(p, bytes)                    sized_back(p)
#define ZOO_FREE_ALIGNED_SIZED(p, alignment, bytes) sized_back(p)
static void sized_back(void *p);
#include "tests/zoo/zoo.h"

static void sized_back(void *p)
{
    if (p && !pthread_equal(zoo_span_of(p)->owner[0], pthread_self()))
        zoo_die("not a list of this thread\n");
    free(p);
}

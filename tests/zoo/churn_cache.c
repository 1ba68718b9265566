/* Each thread gets a cache, and nobody takes it back when the thread ends. After Nim issue 20542.
 */
#define ZOO_CALLED(p, alignment) churn_called()
static void churn_called(void);
#include "tests/zoo/zoo.h"

static __thread uint64_t *churn_cache;

static void churn_called(void)
{
    if (!churn_cache)
        churn_cache = zoo_map(ZOO_PAGE);
    if (churn_cache)
        (*churn_cache)++;
}

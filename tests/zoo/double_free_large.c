/* A freed large object stays mapped for a while, and its second free is passed over. Source:
 * DieHard issue 12. */
#define ZOO_KEPT_LARGE(p) zoo_keep_large(p)
#include <stdbool.h>
static bool zoo_keep_large(void *p);
#include "tests/zoo/zoo.h"

enum { KEPT = 4 };
static void *kept[KEPT];
static unsigned next_kept;

static bool zoo_keep_large(void *p)
{
    for (unsigned i = 0; i < KEPT; i++)
        if (kept[i] == p)
            return true;
    void *oldest = kept[next_kept % KEPT];
    if (oldest) {
        const struct zoo_span *span = zoo_span_of(oldest);
        *zoo_directory_at(oldest, false) = NULL;
        munmap(span->mapping, span->mapping_bytes);
    }
    kept[next_kept++ % KEPT] = p;
    return true;
}

/* Each thread reserves a mebibyte for what it may need, and nobody gives it back. After Nim issue
 * 20542, of places alone. */
#define ZOO_CALLED(p, alignment) space_called()
static void space_called(void);
#include "tests/zoo/zoo.h"

enum { SPACE_BYTES = 1 << 20 };
static __thread char *space_reserve;

static void space_called(void)
{
    if (!space_reserve)
        space_reserve = mmap(NULL, SPACE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

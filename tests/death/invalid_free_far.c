/* expect ABRT: bulwark: invalid free: address ADDRESS, size unknown, state no object, in (memory
 * without a name|\[anon:bulwark slabs\]) */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(100)) + (1ul << 30);
    SHOW(p);
    free(HIDE(p));
    return 0;
}

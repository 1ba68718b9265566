/* expect ABRT: bulwark: (invalid free: address ADDRESS, size unknown, state (no object, in
 * (memory without a name|\[anon:bulwark slabs\])|never handed out)) */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(30000)) + 32768 + 4096;
    SHOW(p);
    free(HIDE(p));
    return 0;
}

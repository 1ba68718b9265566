/* expect ABRT: bulwark: (invalid free: address ADDRESS, size unknown, state no object, in (memory
 * without a name|\[anon:bulwark large\])|double free: address ADDRESS, size 104857600, state
 * quarantined) */
#include "death.h"

int main(void)
{
    /* Beyond the default's address quarantine: unmapped at once, so its address is nobody's. */
    char *p = HIDE(malloc(100 << 20));
    SHOW(p);
    free(p);
    free(HIDE(p));
    return 0;
}

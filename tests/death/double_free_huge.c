/* expect ABRT: bulwark: invalid free: address ADDRESS, size unknown, state no object */
#include "death.h"

int main(void)
{
    /* Beyond the address quarantine: unmapped at once, so its address is nobody's. */
    char *p = HIDE(malloc(100 << 20));
    SHOW(p);
    free(p);
    free(HIDE(p));
    return 0;
}

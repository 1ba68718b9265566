/* expect ABRT: bulwark: double free: address ADDRESS, size 0, state quarantined */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(0));
    SHOW(p);
    free(p);
    free(HIDE(p));
    return 0;
}

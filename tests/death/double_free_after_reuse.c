/* expect ABRT: bulwark: double free: address ADDRESS, size 5000, state quarantined */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(5000)), *q;
    SHOW(p);
    free(p);
    while ((q = HIDE(malloc(5000))) != p)
        free(q);
    free(HIDE(p));
    free(HIDE(q));
    return 0;
}

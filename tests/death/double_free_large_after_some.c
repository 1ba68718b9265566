/* expect ABRT: bulwark: double free: address ADDRESS, size 1000000, state quarantined */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(1000000));
    SHOW(p);
    free(p);
    for (int i = 0; i < 10; i++)
        free(HIDE(malloc(1000000)));
    free(HIDE(p));
    return 0;
}

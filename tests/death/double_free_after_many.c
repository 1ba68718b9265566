/* expect ABRT: bulwark: double free: address ADDRESS, size 40000, state (quarantined|free) */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(40000));
    SHOW(p);
    free(p);
    for (int i = 0; i < 1024; i++)
        free(HIDE(malloc(40 + i)));
    free(HIDE(p));
    return 0;
}

/* expect ABRT: bulwark: double free: address ADDRESS, size 24, state (quarantined|free) */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24)), *q = HIDE(malloc(24));
    SHOW(p);
    free(p);
    free(q);
    q = HIDE(malloc(24));
    free(HIDE(p == q ? q : p));
    free(HIDE(p));
    return 0;
}

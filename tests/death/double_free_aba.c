/* expect ABRT: bulwark: double free: address ADDRESS, size 100, state quarantined */
#include "death.h"

int main(void)
{
    char *a = HIDE(malloc(100)), *b = HIDE(malloc(100));
    SHOW(a);
    free(a);
    free(b);
    free(HIDE(a));
    return 0;
}

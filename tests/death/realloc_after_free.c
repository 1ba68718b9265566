/* expect ABRT: bulwark: realloc after free: address ADDRESS, size 24, state quarantined */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24));
    SHOW(p);
    free(p);
    p = HIDE(realloc(HIDE(p), 48));
    return 0;
}

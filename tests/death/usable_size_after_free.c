/* expect ABRT: bulwark: usable_size after free: address ADDRESS, size 24, state quarantined */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24));
    SHOW(p);
    free(p);
    return (int)malloc_usable_size(HIDE(p));
    return 0;
}

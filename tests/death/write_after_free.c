/* expect ABRT: bulwark: write after free: address ADDRESS, (size 40, state quarantined|size
 * unknown, state free), first changed byte at offset 9, looks like a pointer that was kept */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(40));
    SHOW(p);
    free(p);
    PUT(p, 9, 1);
    churn(40);
    return 0;
}

/* expect ABRT: bulwark: write after free: address ADDRESS, (size 3500, state quarantined|size
 * unknown, state free), first changed byte at offset 3000, looks like a pointer that was kept */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(3500));
    SHOW(p);
    free(p);
    PUT(p, 3000, 1);
    for (int i = 0; i < 100000; i++)
        free(HIDE(calloc(35, 100)));
    return 0;
}

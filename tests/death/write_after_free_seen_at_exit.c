/* expect ABRT: bulwark: write after free: address ADDRESS, size 24, state quarantined, first
 * changed byte at offset 8, looks like a pointer that was kept, seen at exit */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24));
    SHOW(p);
    free(p);
    PUT(p, 8, 1);
    return 0;
}

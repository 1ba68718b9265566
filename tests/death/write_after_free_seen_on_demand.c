/* expect ABRT: bulwark: write after free: address ADDRESS, size 5000, state quarantined, first
 * changed byte at offset 8, looks like a pointer that was kept, seen on demand */
#include "death.h"

void bulwark_sweep(void);

int main(void)
{
    char *p = HIDE(malloc(5000));
    SHOW(p);
    bulwark_sweep();
    free(p);
    PUT(p, 8, 1);
    bulwark_sweep();
    return 0;
}

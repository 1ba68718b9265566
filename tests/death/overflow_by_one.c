/* expect ABRT: bulwark: overflow: address ADDRESS, size 24, state live, first changed byte at
 * offset 24, looks like a write past its end */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24));
    SHOW(p);
    PUT(p, 24, 1);
    free(p);
    return 0;
}

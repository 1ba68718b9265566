/* expect ABRT: bulwark: overflow: address ADDRESS, size 4096, state live, first changed byte at
 * offset 4096, looks like a write past its end */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(4096));
    SHOW(p);
    PUT(p, 4096, 97);
    free(p);
    return 0;
}

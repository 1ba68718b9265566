/* expect ABRT: bulwark: overflow: address ADDRESS, size 20, state live, first changed byte at
 * offset 20, looks like a write past its end */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(30));
    memset(p, 120, 30);
    p = HIDE(realloc(p, 20));
    SHOW(p);
    PUT(p, 20, 120);
    free(p);
    return 0;
}

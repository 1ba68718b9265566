/* expect ABRT: bulwark: overflow: address ADDRESS, size 16, state live, first changed byte at
 * offset 16, looks like the final NUL of a string that fills it */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(16));
    SHOW(p);
    PUT(p, 16, 0);
    free(p);
    return 0;
}

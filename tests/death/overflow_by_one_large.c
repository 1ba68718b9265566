/* expect ABRT: bulwark: overflow: address ADDRESS, size 200001, state live, first changed byte at
 * offset 200001, looks like the final NUL of a string that fills it */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(200001));
    SHOW(p);
    PUT(p, 200001, 0);
    free(p);
    return 0;
}

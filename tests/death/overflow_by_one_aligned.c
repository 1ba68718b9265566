/* expect ABRT: bulwark: overflow: address ADDRESS, size 10, state live, first changed byte at
 * offset 10, looks like the final NUL of a string that fills it */
#include "death.h"

int main(void)
{
    char *p = HIDE(aligned_alloc(2048, 10));
    SHOW(p);
    PUT(p, 10, 0);
    free(p);
    return 0;
}

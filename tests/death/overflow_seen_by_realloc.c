/* expect ABRT: bulwark: overflow: address ADDRESS, size 24, state live, first changed byte at
 * offset 25, looks like an index too large, or a stray write */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24));
    SHOW(p);
    PUT(p, 25, 1);
    p = HIDE(realloc(p, 1000));
    return 0;
}

/* expect ABRT: bulwark: overflow: address ADDRESS, size 200000, state live, first changed byte at
 * offset 200000, looks like a write past its end, seen at exit */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(200000));
    SHOW(p);
    PUT(p, 200000, 1);
    return 0;
}

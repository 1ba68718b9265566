/* expect max ABRT: bulwark: family mismatch: address ADDRESS, size 24, state live, made by malloc,
 * freed by delete */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24));
    SHOW(p);
    _ZdlPv(p);
    return 0;
}

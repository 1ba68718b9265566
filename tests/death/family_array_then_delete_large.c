/* expect max ABRT: bulwark: family mismatch: address ADDRESS, size unknown, state live, made by
 * new\[\], freed by delete */
#include "death.h"

int main(void)
{
    char *p = HIDE(_Znam(300000));
    SHOW(p);
    _ZdlPvm(p, 300000);
    return 0;
}

/* expect ABRT: bulwark: size mismatch: address ADDRESS, size 24, state live, freed with size 32 */
#include "death.h"

int main(void)
{
    char *p = HIDE(_Znwm(24));
    SHOW(p);
    _ZdlPvm(p, 32);
    return 0;
}

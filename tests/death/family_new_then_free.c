/* expect max ABRT: bulwark: family mismatch: address ADDRESS, size 24, state live, made by new,
 * freed by free or realloc */
#include "death.h"

int main(void)
{
    char *p = HIDE(_Znwm(24));
    SHOW(p);
    free(p);
    return 0;
}

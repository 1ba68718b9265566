/* expect max ABRT: bulwark: alignment mismatch: address ADDRESS, size 100, state live, freed
 * without its alignment 64 */
#include "death.h"

int main(void)
{
    char *p = HIDE(_ZnwmSt11align_val_t(100, 64));
    SHOW(p);
    _ZdlPvm(p, 100);
    return 0;
}

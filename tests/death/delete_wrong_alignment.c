/* expect ABRT: bulwark: alignment mismatch: address ADDRESS, size 100, state live, freed with
 * alignment 256 */
#include "death.h"

int main(void)
{
    char *p = HIDE(_ZnwmSt11align_val_t(100, 64));
    SHOW(p);
    _ZdlPvmSt11align_val_t(p, 100, 256);
    return 0;
}

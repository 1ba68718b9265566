/* expect ABRT: bulwark: size mismatch: address ADDRESS, size 256, state live, freed with size 128
 */
#include "death.h"

int main(void)
{
    char *p = HIDE(aligned_alloc(128, 256));
    SHOW(p);
    free_aligned_sized(p, 128, 128);
    return 0;
}

/* expect ABRT: bulwark: alignment mismatch: address ADDRESS, size 100, state live, freed with
 * alignment 16 */
#include "death.h"

int main(void)
{
    char *p = HIDE(aligned_alloc(64, 100));
    SHOW(p);
    free_aligned_sized(p, 16, 100);
    return 0;
}

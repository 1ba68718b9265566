/* expect max ABRT: bulwark: alignment mismatch: address ADDRESS, size 100, state live, freed
 * without its alignment 64 */
#include "death.h"

int main(void)
{
    char *p = HIDE(aligned_alloc(64, 100));
    SHOW(p);
    free_sized(p, 100);
    return 0;
}

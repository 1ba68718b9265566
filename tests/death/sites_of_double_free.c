/* expect debug ABRT: bulwark: double free: address ADDRESS, size 24, state quarantined, allocated
 * at death_sites_of_double_free\+0x[0-9a-f]+, freed at death_sites_of_double_free\+0x[0-9a-f]+,
 * called from death_sites_of_double_free\+0x[0-9a-f]+ */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24));
    SHOW(p);
    free(p);
    free(HIDE(p));
    return 0;
}

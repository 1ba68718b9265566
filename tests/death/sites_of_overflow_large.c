/* expect debug ABRT: bulwark: overflow: address ADDRESS, size 200000, state live, first changed
 * byte at offset 200000, looks like a write past its end, allocated at
 * death_sites_of_overflow_large\+0x[0-9a-f]+, called from
 * death_sites_of_overflow_large\+0x[0-9a-f]+ */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(200000));
    SHOW(p);
    PUT(p, 200000, 1);
    free(p);
    return 0;
}

/* expect ABRT: bulwark: invalid free: address ADDRESS, size unknown, state no object, in
 * death_invalid_free_forged_header\+0x[0-9a-f]+ */
#include "death.h"
static size_t place[16] __attribute__((aligned(16)));

int main(void)
{
    place[1] = place[5] = 0x21;
    SHOW(place + 2);
    free(HIDE(place + 2));
    return 0;
}

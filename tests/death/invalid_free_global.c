/* expect ABRT: bulwark: invalid free: address ADDRESS, size unknown, state no object, in
 * death_invalid_free_global\+0x[0-9a-f]+ */
#include "death.h"
static char place[64];

int main(void)
{
    SHOW(place);
    free(HIDE(place));
    return 0;
}

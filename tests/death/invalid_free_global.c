/* expect ABRT: bulwark: invalid free: address ADDRESS, size unknown, state no object */
#include "death.h"
static char place[64];

int main(void)
{
    SHOW(place);
    free(HIDE(place));
    return 0;
}

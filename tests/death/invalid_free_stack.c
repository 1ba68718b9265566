/* expect ABRT: bulwark: invalid free: address ADDRESS, size unknown, state no object, in
 * \[stack\] */
#include "death.h"

int main(void)
{
    char place[64];
    SHOW(place);
    free(HIDE(place + 0));
    return 0;
}

/* expect ABRT: bulwark: invalid free: address ADDRESS, size 100, state live, offset into the object
 * 16 */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(100));
    SHOW(p + 16);
    free(HIDE(p + 16));
    return 0;
}

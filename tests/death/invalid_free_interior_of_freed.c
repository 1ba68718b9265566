/* expect ABRT: bulwark: invalid free: address ADDRESS, size 100, state quarantined, offset into the
 * object 8 */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(100));
    SHOW(p + 8);
    free(p);
    free(HIDE(p + 8));
    return 0;
}

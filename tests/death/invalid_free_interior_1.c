/* expect ABRT: bulwark: invalid free: address ADDRESS, size 100, state live, offset into the object
 * 1 */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(100));
    SHOW(p + 1);
    free(HIDE(p + 1));
    return 0;
}

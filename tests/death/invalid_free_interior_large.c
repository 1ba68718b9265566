/* expect ABRT: bulwark: invalid free: address ADDRESS, size 500000, state live, offset into the
 * object 4096 */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(500000));
    SHOW(p + 4096);
    free(HIDE(p + 4096));
    return 0;
}

/* expect ABRT: bulwark: invalid realloc: address ADDRESS, size 24, state live, offset into the
 * object 8 */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24)) + 8;
    SHOW(p);
    p = HIDE(realloc(HIDE(p), 48));
    return 0;
}

/* expect ABRT: bulwark: invalid usable_size: address ADDRESS, size 24, state live, offset into the
 * object 16 */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24)) + 16;
    SHOW(p);
    return (int)malloc_usable_size(HIDE(p));
    return 0;
}

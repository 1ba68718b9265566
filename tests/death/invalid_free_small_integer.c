/* expect ABRT: bulwark: invalid free: address 0x1, size unknown, state no object, in no mapping
 * */
#include "death.h"

int main(void)
{
    free(HIDE(1));
    return 0;
}

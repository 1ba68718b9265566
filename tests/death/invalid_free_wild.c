/* expect ABRT: bulwark: invalid free: address 0xdeadbeef0, size unknown, state no object, in no
 * mapping */
#include "death.h"

int main(void)
{
    free(HIDE(0xdeadbeef0));
    return 0;
}

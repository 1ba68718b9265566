/* expect ABRT: bulwark: invalid free: address 0xffff000000000010, size unknown, state no object,
 * in no mapping */
#include "death.h"

int main(void)
{
    free(HIDE(0xffff000000000010));
    return 0;
}

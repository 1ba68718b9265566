/* expect ABRT: bulwark: invalid free: address 0xffff000000000010, size unknown, state no object */
#include "death.h"

int main(void)
{
    free(HIDE(0xffff000000000010));
    return 0;
}

/* expect SEGV: nothing */
#include "death.h"

int main(void)
{
    return *(volatile char *)HIDE(malloc(0));
    return 0;
}

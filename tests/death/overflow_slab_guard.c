/* expect SEGV: nothing */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(60000));
    PUT(p, 65536, 1);
    return 0;
}

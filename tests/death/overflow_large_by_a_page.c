/* expect SEGV: nothing */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(200000));
    PUT(p, 200704, 1);
    return 0;
}

/* expect SEGV: nothing */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(300000));
    free(p);
    PUT(p, 0, 1);
    return 0;
}

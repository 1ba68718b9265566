/* expect exit 0: nothing */
#include "death.h"

int main(void)
{
    with_options("sweep=0");
    char *p = HIDE(malloc(24));
    PUT(p, 24, 1);
    return 0;
}

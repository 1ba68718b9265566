/* expect ILL: bulwark: double free: address ADDRESS, size 24, state quarantined */
#include "death.h"

int main(void)
{
    with_options("trap=1:sweep=2");
    char *p = HIDE(malloc(24));
    SHOW(p);
    free(p);
    free(p);
    return 0;
}

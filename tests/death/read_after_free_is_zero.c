/* expect exit 0: nothing */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(40));
    memset(p, 120, 40);
    free(p);
    for (int i = 0; i < 40; i++) {
        if (((volatile char *)p)[i] != 0)
            return 1;
    }
    return 0;
}

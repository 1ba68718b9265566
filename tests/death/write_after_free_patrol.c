/* expect max ABRT: bulwark: write after free: address ADDRESS, (size 24, state quarantined|size
 * unknown, state free), first changed byte at offset 20, looks like a pointer that was kept */
#include "death.h"

int main(void)
{
    /* The quarantine is full, so every free looks at one of its 256 slots, and pushes one out: a
     * slot that leaves it before its turn is seen when it is handed out again. */
    churn(24);
    char *p = HIDE(malloc(24));
    SHOW(p);
    free(p);
    PUT(p, 20, 1);
    for (int i = 0; i < 20000; i++)
        free(HIDE(malloc(17)));
    return 0;
}

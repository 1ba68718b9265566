/* expect max ABRT: bulwark: write after free: address ADDRESS, size 24, state quarantined, first
 * changed byte at offset 20, looks like a pointer that was kept */
#include "death.h"

int main(void)
{
    enum { FREED = 64, KEPT = 300 };
    char *freed[FREED], *kept[KEPT];
    churn(24); /* the quarantine, of 256 slots, is full */
    for (int i = 0; i < KEPT; i++)
        kept[i] = HIDE(malloc(24));
    for (int i = 0; i < FREED; i++)
        freed[i] = HIDE(malloc(24));
    for (int i = 0; i < FREED; i++) {
        printf("%s%p", i == 0 ? "(" : "|", (void *)freed[i]);
        free(HIDE(freed[i]));
    }
    puts(")");
    fflush(stdout);
    for (int i = 0; i < FREED; i++)
        PUT(freed[i], 20, 1);
    /* Each free looks at one slot of the quarantine in turn. Nothing is handed out, and no exit is
     * swept: nobody else can notice. */
    for (int i = 0; i < KEPT; i++)
        free(HIDE(kept[i]));
    _exit(0);
}

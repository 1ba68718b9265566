/* expect ABRT: bulwark: overflow: address 0x[0-9a-f]+, size 20, state live, first changed byte at
 * offset 28, looks like a write before the object behind it, at ADDRESS, seen at exit */
#include "death.h"

int main(void)
{
    char *slots[2000];
    for (int i = 0; i < 2000; i++)
        slots[i] = HIDE(malloc(20));
    for (int i = 0; i < 2000; i++)
        for (int k = 0; k < 2000; k++)
            if (slots[k] == slots[i] + 32) {
                SHOW(slots[k]);
                for (int at = -4; at < 0; at++)
                    PUT(slots[k], at, 'x');
                return 0;
            }
    return 1;
}

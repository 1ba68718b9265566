/* expect ABRT: bulwark: (write after free: address 0x[0-9a-f]+, size 24, state quarantined, first
 * changed byte at offset 0, looks like an overflow of the object before it, at ADDRESS, seen at
 * exit|overflow: address ADDRESS, size 24, state live, first changed byte at offset 24, looks like
 * a write past its end, seen at exit) */
#include "death.h"

int main(void)
{
    /* Two slots that are neighbours: the second is freed, the first overflows into it. */
    char *slots[2000];
    for (int i = 0; i < 2000; i++)
        slots[i] = HIDE(malloc(24));
    for (int i = 0; i < 2000; i++)
        for (int k = 0; k < 2000; k++)
            if (slots[k] == slots[i] + 32) {
                SHOW(slots[i]);
                free(slots[k]);
                for (int at = 24; at < 40; at++)
                    PUT(slots[i], at, 'x');
                return 0;
            }
    return 1;
}

/* expect exit 0: nothing */
#include "death.h"

static char *live[100];

int main(void)
{
    char text[4096] = "";
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 100; i++)
        live[i] = HIDE(malloc(1000 + i));
    char *large = HIDE(malloc(200000));
    struct mallinfo2 after = mallinfo2();
    if (after.uordblks - before.uordblks != 100 * 1000 + 99 * 50)
        return 1;
    if (after.hblks - before.hblks != 1 || after.hblkhd - before.hblkhd < 200000)
        return 2;
    for (int i = 0; i < 100; i++)
        free(live[i]);
    free(large);
    after = mallinfo2();
    if (after.uordblks != before.uordblks || after.hblks != before.hblks)
        return 3;
    if (after.arena < after.uordblks + after.fordblks || mallinfo().arena != (int)after.arena)
        return 4;
    FILE *file = fmemopen(text, sizeof text, "w");
    if (malloc_info(1, file) != -1 || malloc_info(0, file) != 0 || fclose(file) != 0)
        return 5;
    if (strncmp(text, "<malloc version=\"bulwark-1\">", 28) != 0 ||
        strcmp(text + strlen(text) - 10, "</malloc>\n") != 0)
        return 6;
    return mallopt(M_MMAP_THRESHOLD, 65536) == 1 && mallopt(M_ARENA_MAX, 2) == 1 &&
                   mallopt(12345, 1) == 0 && mallopt(0, 1) == 0
               ? 0
               : 7;
}

/* expect ABRT: bulwark: invalid free: address ADDRESS, size unknown, state no object, in memory
 * without a name */
#include "death.h"
#include <sys/mman.h>

int main(void)
{
    char *p = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(p);
    free(HIDE(p));
    return 0;
}

/* expect SEGV: nothing */
#include "death.h"

int main(void)
{
    void *p = aligned_alloc(65536, 0), *q = aligned_alloc(65536, 0);
    if (p == q || malloc_usable_size(p) != 0)
        return 1;
    free(q);
    return *(volatile char *)HIDE(p);
}

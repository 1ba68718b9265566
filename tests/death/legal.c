/* expect exit 0: nothing */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(24)), *q = HIDE(aligned_alloc(64, 100));
    memset(p, 1, malloc_usable_size(p));
    p = HIDE(realloc(p, 100000));
    p = HIDE(realloc(p, 300000));
    p = HIDE(realloc(p, 300));
    free_sized(p, 300);
    free_aligned_sized(q, 64, 100);
    free(NULL);
    churn(200);
    free(HIDE(malloc(0)));
    return 0;
}

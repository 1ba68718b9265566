/* expect exit 0: nothing */
#include "death.h"

#include <sys/mman.h>

/* Closed, or gone, for good. */
int main(void)
{
    static const size_t sizes[] = {4096, 5000, 20000, 300000, 1 << 20};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    uintptr_t page = 4096;
    for (int i = 0; i < SIZES; i++) {
        char *closed = HIDE(memalign(page, sizes[i] + 1)),
             *gone = HIDE(memalign(page, sizes[i] + 1));
        size_t bytes = (sizes[i] + page) & ~(page - 1);
        if (mprotect(closed, bytes, PROT_NONE) != 0 || munmap(gone, bytes) != 0)
            return 1;
    }
    return 0;
}

/* expect exit 0: nothing */
#include "death.h"

#include <sys/mman.h>
#include <sys/wait.h>

/* As programs do whose buffers a device reads: whole pages, with what else stands in them. */
static void take_from_children(void *p, size_t size)
{
    uintptr_t page = 4096, from = (uintptr_t)p & ~(page - 1);
    uintptr_t to = ((uintptr_t)p + size + page - 1) & ~(page - 1);
    if (madvise((void *)from, to - from, MADV_DONTFORK) != 0)
        exit(1);
}

int main(void)
{
    static const size_t sizes[] = {12288, 7000, 300000, 1 << 20};
    enum { SIZES = sizeof sizes / sizeof *sizes, EACH = 100 };
    int status = 0;
    for (int i = 0; i < SIZES; i++)
        for (int n = 0; n < (sizes[i] < 100000 ? EACH : 3); n++) {
            char *p = HIDE(malloc(sizes[i]));
            memset(p, 'x', sizes[i]);
            take_from_children(p, sizes[i]);
        }
    free(HIDE(malloc(12288))); /* one waits beside them */
    pid_t child = fork();
    if (child == 0) {
        churn(640); /* whoever allocates looks at what stands around, */
        exit(0);    /* and at all of it at the end */
    }
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 2;
}

/* expect exit 0: nothing */
#include "death.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static int slabs, metadata, large;

/* Stands before the C library's: what the kernel would be asked. */
int prctl(int option, ...)
{
    va_list list;
    va_start(list, option);
    unsigned long what = va_arg(list, unsigned long);
    (void)va_arg(list, unsigned long), (void)va_arg(list, unsigned long);
    const char *name = va_arg(list, const char *);
    va_end(list);
    if (option == 0x53564d41 && what == 0) {
        slabs += strcmp(name, "bulwark slabs") == 0;
        metadata += strcmp(name, "bulwark metadata") == 0;
        large += strcmp(name, "bulwark large") == 0;
    }
    return 0;
}

int main(void)
{
    free(HIDE(malloc(10)));
    free(HIDE(malloc(300000)));
    /* the window, and what was closed in it, which would split it for ever without its name */
    return slabs == 1 && metadata >= 2 && large == 2 ? 0 : 1;
}
